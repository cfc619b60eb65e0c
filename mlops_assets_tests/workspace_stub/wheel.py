"""A wheel of this checkout without a build backend: the package, and the metadata that a job reads."""

import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def packed_wheel(folder: Path) -> Path:
    """The wheel file; entry points are those that pyproject.toml declares."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = [path for path in sorted((ROOT / "mlops_assets").rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    contents = {str(path.relative_to(ROOT)): path.read_bytes() for path in files}
    return _wheel(folder, declared["version"], declared["scripts"], contents)


def other_wheel(folder: Path, code: str) -> Path:
    """A wheel whose entry point of the same name runs `code`: what else may go wrong in a job."""
    indented = "\n".join(f"    {line}" for line in code.strip().splitlines())
    module = f"def main():\n{indented}\n".encode()
    return _wheel(folder, "0.0.1", {"mlops-assets-step": "other_step:main"}, {"other_step.py": module})


def _wheel(folder: Path, version: str, scripts: Mapping[str, str], contents: Mapping[str, bytes]) -> Path:
    wheel, info = folder / f"mlops_assets-{version}-py3-none-any.whl", f"mlops_assets-{version}.dist-info"
    lines = "\n".join(f"{name} = {target}" for name, target in scripts.items())
    with zipfile.ZipFile(wheel, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: mlops-assets\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{lines}\n")
    return wheel
