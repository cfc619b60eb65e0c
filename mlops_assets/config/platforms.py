"""Reads a platform's document; without one, the built-in defaults apply."""

import os
from pathlib import Path

from mlops_assets.config.environment import configs_folder, platform_name
from mlops_assets.config.parsing.documents import read_sources
from mlops_assets.config.parsing.validation import validate
from mlops_assets.config.parsing.versions import up_to_date
from mlops_assets.config.platform import PLATFORMS, PlatformConfig
from mlops_assets.config.problems import ConfigError, Problem, did_you_mean, one_of, shown


def load_platform(name: str | None = None, configs: Path | str | None = None) -> PlatformConfig:
    """`<configs>/platforms/<name>.yaml`, or the built-in defaults without the file; raises ConfigError.

    Name and folder are by default those of `MLOPS_PLATFORM` and `MLOPS_CONFIGS`.
    """
    wanted = name or platform_name()
    folder = Path(configs or configs_folder()) / "platforms"
    if wanted not in PLATFORMS:
        hint = did_you_mean(wanted, PLATFORMS) or f"MLOPS_PLATFORM is {one_of(PLATFORMS)}"
        raise ConfigError([Problem("MLOPS_PLATFORM", 0, 0, "", f"unknown platform '{wanted}'", hint)])
    paths = [path for ending in ("yaml", "yml") if (path := folder / f"{wanted}.{ending}").is_file()]
    return _read(paths[0], wanted) if paths else PlatformConfig.model_validate({"name": wanted})


def check_platforms() -> None:
    """Read the document of `MLOPS_PLATFORM`, and look at the names of the others.

    Raises:
        ConfigError: it is wrong, or a file's name is no platform's, so that nothing would read it.
    """
    load_platform()
    files = sorted((configs_folder() / "platforms").glob("*.y*ml"))
    strange = [file for file in files if file.stem not in PLATFORMS]
    hints = [did_you_mean(file.stem, PLATFORMS) or f"platforms are {one_of(PLATFORMS)}" for file in strange]
    found = zip(strange, hints, strict=True)
    if strange:
        raise ConfigError(
            Problem.of_file(shown(file), f"no platform is called '{file.stem}'", hint) for file, hint in found
        )


def _read(path: Path, wanted: str) -> PlatformConfig:
    problems: list[Problem] = []
    sources = read_sources(path, os.environ, problems)
    problems += [problem for source in sources for _, problem in source.problems]
    if len(sources) != 1 and not problems:
        problems.append(Problem.of_file(shown(path), f"a platform file holds one document, not {len(sources)}"))
    configs = [validate(PlatformConfig, up_to_date(source, problems), problems) for source in sources]
    if not problems and configs[0] is not None and configs[0].name != wanted:
        message = f"this file is for platform '{wanted}', not '{configs[0].name}'"
        problems.append(sources[0].place(("name",)).shown.problem("name", message))
    if problems or configs[0] is None:
        raise ConfigError(problems)
    return configs[0]
