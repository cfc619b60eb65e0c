"""`python -m mlops_assets init`: a working project from a data file."""

from collections.abc import Iterator
from pathlib import Path

from mlops_assets.config.environment import own_configs_folder
from mlops_assets.config.problems import shown
from mlops_assets.scaffold import write_project


def init_project(name: str, source: Path, target: str | None, owner: str | None) -> Iterator[str]:
    """Write the project below MLOPS_CONFIGS; a line a choice and file, then what to do next.

    Raises:
        ScaffoldError, ConfigError: nothing was written.
    """
    done = write_project(own_configs_folder() / name, source, target=target, owner=owner)
    yield from done.choices
    yield from (f"wrote {shown(file)}" for file in done.files)
    yield "next: python -m mlops_assets check"
    yield f"then: dagster job execute -m mlops_assets.definitions -j {name}_pipeline"
