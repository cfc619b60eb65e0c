"""Virtual environments for peers whose pins are not ours, built once and kept in the user's cache."""

import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path


def python_with(name: str, packages: list[str]) -> Path:
    """The interpreter of an environment that holds `packages`; installed where it is not there yet."""
    folder = user_cache_path("mlops-assets") / "benchmarks" / name
    python, wanted = folder / "bin" / "python", folder / "packages.txt"
    if not wanted.exists() or wanted.read_text().split("\n") != packages:
        print(f"installing {', '.join(packages)} ...", flush=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "-p", python, *packages], check=True)
        wanted.write_text("\n".join(packages))
    return python
