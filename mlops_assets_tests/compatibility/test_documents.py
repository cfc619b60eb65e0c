"""Documents that were written for version 1 go on loading, and mean what they meant.

`version_1.json` is what they were read as. It is written once and never again: a field may be added to the language,
but none that is there may read as something else. `python -m mlops_assets_tests.compatibility.test_documents` wrote it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.config import load_projects
from mlops_assets.config.platform import PLATFORMS
from mlops_assets.config.platforms import load_platform

DOCUMENTS = Path(__file__).parent / "version_1"
READ = DOCUMENTS.with_suffix(".json")


def read() -> dict[str, Any]:
    """Every document's fields, by project and file, as plain values."""
    documents = {
        f"{project.name}/{document.source.file.rsplit(f'{project.name}/', 1)[-1]}": document.config
        for project in load_projects(DOCUMENTS)
        for document in project.documents
    }
    documents |= {f"platforms/{name}": load_platform(name, DOCUMENTS) for name in PLATFORMS}
    return {name: config.model_dump(mode="json", exclude={"home"}) for name, config in documents.items()}


def changed(then: Any, now: Any, path: str) -> Iterator[str]:
    """Where what was read then is read as something else now; what has come since is not looked at."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, value in then.items():
            yield from changed(value, now.get(name, "gone"), f"{path}.{name}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from changed(one, other, f"{path}.{index}")
    elif then != now:
        yield f"{path}: {then!r} is now {now!r}"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHURN_CUSTOMERS", "CHURN_THROUGH", "FLIGHTS_THROUGH", "SLACK_WEBHOOK_URL", "DATA_ENV", "REGION"):
        monkeypatch.delenv(name, raising=False)


def test_documents_of_version_1_are_read_as_they_were() -> None:
    then = json.loads(READ.read_text(encoding="utf-8"))
    assert len(then) >= 20
    assert not list(changed(then, read(), "documents"))


def test_a_changed_meaning_would_be_seen() -> None:
    assert list(changed({"a": {"b": [1]}}, {"a": {"b": [2]}, "c": 3}, "x")) == ["x.a.b.0: 1 is now 2"]


if __name__ == "__main__":
    READ.write_text(json.dumps(read(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
