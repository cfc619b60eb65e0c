"""Tables that are kept open say what the log says, and open no more often than they must."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.lake import current as kept
from mlops_assets.lake import delta
from mlops_assets.lake.current import current
from mlops_assets.lake.errors import LakeError


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "table")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were opened from the beginning of their log."""
    found: list[str] = []

    def counted(own: Callable[[str], DeltaTable]) -> Callable[[str], DeltaTable]:
        def open_(path: str) -> DeltaTable:
            found.append(path)
            return own(path)

        return open_

    monkeypatch.setattr(kept, "opened", counted(kept.opened))
    return found


def add(path: str, number: int) -> None:
    delta.append(path, pl.DataFrame({"number": [number]}), transactions={"number": number})


def test_a_table_that_is_asked_again_is_not_opened_again(path: str, opened: list[str]) -> None:
    add(path, 0)
    for number in range(1, 5):
        add(path, number)
        assert (delta.version(path), delta.rows(path)) == (number, number + 1)
        assert delta.transaction_version(path, "number") == number
    assert opened == [path]


def test_what_others_write_is_seen(path: str, opened: list[str]) -> None:
    add(path, 0)
    assert delta.version(path) == 0
    with ThreadPoolExecutor(1) as other:
        other.submit(add, path, 1).result()
    assert (delta.version(path), delta.transaction_version(path, "number")) == (1, 1)
    assert opened == [path, path], "once by each thread"


def test_a_table_in_the_place_of_another_is_seen(path: str) -> None:
    for number in range(3):
        add(path, number)
    shutil.rmtree(path)
    assert current(path) is None
    add(path, 7)
    assert (delta.version(path), delta.rows(path), delta.transaction_version(path, "number")) == (0, 1, 7)


def test_rows_that_are_read_later_are_those_of_the_version_that_was_asked_for(path: str) -> None:
    add(path, 0)
    rows = delta.scan(path)
    add(path, 1)
    assert rows.collect()["number"].to_list() == [0]


def test_a_table_that_has_moved_on_for_long_is_opened_anew(path: str, opened: list[str]) -> None:
    for number in range(3 * kept.VERSIONS):
        add(path, number)
    assert delta.rows(path) == 3 * kept.VERSIONS
    assert 1 < len(opened) <= 3


def test_a_table_that_cannot_be_read_any_more_is_refused(path: str) -> None:
    add(path, 0)
    assert delta.version(path) == 0
    feature = '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["madeUp"],"writerFeatures":[]}}'
    (Path(path) / "_delta_log" / f"{1:020}.json").write_text(feature)
    with pytest.raises(LakeError, match=r"cannot be read|madeUp"):
        delta.version(path)
