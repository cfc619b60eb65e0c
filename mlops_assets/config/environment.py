"""MLOPS_HOME, MLOPS_CONFIGS and MLOPS_PLATFORM, read from the process environment when asked, never at import."""

import os
import tempfile
from pathlib import Path

PACKAGED = Path(__file__).parents[1] / "configs"


def home() -> Path:
    """The folder everything is written to: `MLOPS_HOME`, by default `.mlops`, as an absolute path."""
    return _folder("MLOPS_HOME", ".mlops")


def possible_home() -> Path:
    """The home folder, which may not exist yet; nothing is written.

    Raises:
        ConfigError: a file is where the folder, or one around it, would be.
    """
    folder = home()
    if any(each.is_file() for each in (folder, *folder.parents)):
        raise _unwritable(folder, "a file is in the way")
    return folder


def writable_home() -> Path:
    """The home folder, created if it does not exist.

    Raises:
        ConfigError: nothing can be written there.
    """
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, str(error.strerror)) from None
    return folder


def _unwritable(folder: Path, reason: str) -> Exception:
    from mlops_assets.config.problems import ConfigError, Problem

    message = f"nothing can be written to {folder}: {reason}"
    return ConfigError([Problem("MLOPS_HOME", 0, 0, "", message, "set it to a folder of yours")])


def configs_folder() -> Path:
    """The folder that holds the projects: `MLOPS_CONFIGS`, by default `configs`, as an absolute path.

    Where neither is there, the examples that the wheel brings.
    """
    own = own_configs_folder()
    return PACKAGED if not os.environ.get("MLOPS_CONFIGS") and not own.is_dir() and PACKAGED.is_dir() else own


def own_configs_folder() -> Path:
    """The folder of a user's own projects, which may not exist yet: `MLOPS_CONFIGS`, by default `configs`."""
    return _folder("MLOPS_CONFIGS", "configs")


def platform_name() -> str:
    """The platform to run on: `MLOPS_PLATFORM`, by default `embedded`; `load_platform` checks the name."""
    return os.environ.get("MLOPS_PLATFORM") or "embedded"


def _folder(variable: str, default: str) -> Path:
    return Path(os.path.abspath(Path(os.environ.get(variable) or default).expanduser()))
