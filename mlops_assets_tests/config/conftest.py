from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from mlops_assets.config import ConfigError, Project, load_project
from mlops_assets_tests.config import documents

Write = Callable[..., Path]
Problems = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the files of a project `air`; a pipeline is there unless another text is given."""

    def write_files(files: dict[str, str | None]) -> Path:
        folder = tmp_path / "air"
        for name, text in {"pipeline.yaml": documents.PIPELINE, **files}.items():
            if text is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(dedent(text))
        return folder

    return write_files


@pytest.fixture
def load(write: Write) -> Callable[[dict[str, str | None]], Project]:
    return lambda files: load_project(write(files))


@pytest.fixture
def problems(write: Write) -> Problems:
    """The lines of the ConfigError that loading the files raises."""

    def lines(files: dict[str, str | None]) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            load_project(write(files))
        return [str(problem) for problem in raised.value.problems]

    return lines
