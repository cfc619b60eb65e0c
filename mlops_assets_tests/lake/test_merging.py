"""A merge writes anew what it must and not the whole table, and gives the same rows in one commit or two."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from mlops_assets.lake import delta, merging

KEYS = ["shop", "id"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where to write anew more than four rows for each that arrives is much."""
    monkeypatch.setattr(merging, "ALWAYS", 0)
    monkeypatch.setattr(merging, "TIMES", 4)
    return str(tmp_path / "table")


def day(number: int, rows: int = 20, again: int = 2) -> pl.DataFrame:
    """Rows of which the first few have yesterday's last keys."""
    first = number * (rows - again)
    return pl.DataFrame({"shop": ["north"] * rows, "id": range(first, first + rows), "day": [number] * rows})


def merge(path: str, rows: pl.DataFrame, number: int) -> delta.Written:
    seen = {"day": number - 1 if number else None}
    return delta.merge(path, rows, keys=KEYS, transactions={"day": number}, seen=seen)


def merged_by_hand(days: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(days).unique(KEYS, keep="last").sort("id")


def test_days_of_new_keys_leave_files_that_later_days_do_not_write_again(path: str) -> None:
    days = [day(number) for number in range(40)]
    for number, rows in enumerate(days):
        assert merge(path, rows, number).inserted == (18 if number else 20)
    assert_frame_equal(delta.scan(path).sort("id").collect(), merged_by_hand(days))
    files = delta.files(path)
    assert files["num_records"].max() <= 4 * 20 + 20
    assert 5 < files.height < 20
    # The files of old keys are those that were written then.
    newest = [commit["operationMetrics"]["num_target_rows_copied"] for commit in DeltaTable(path).history(10)]
    assert max(newest) <= 4 * 20 + 20


def test_a_merge_that_writes_little_anew_is_one_commit_and_one_of_old_keys_is_too(path: str) -> None:
    merge(path, day(0), 0)
    merge(path, day(1), 1)
    assert delta.version(path) == 1
    merge(path, day(0, rows=30, again=0).head(5), 2)
    assert delta.version(path) == 2


def test_what_was_merged_before_a_stop_between_two_commits_is_merged_again_with_the_same_rows(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(path, day(0, rows=200), 0)
    rows = pl.concat([day(0, rows=200).tail(3).with_columns(day=pl.lit(1, pl.Int64)), day(20)])
    own, left = merging._merged, [1]

    def stopped(*args: object) -> delta.Written:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return own(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as soon:
        soon.setattr(merging, "_merged", stopped)
        with pytest.raises(KeyboardInterrupt):
            merge(path, rows, 1)
    assert (delta.version(path), delta.transaction_version(path, "day")) == (1, 0)
    done = merge(path, rows, 1)
    assert (done.inserted, done.updated) == (20, 3)
    assert (delta.version(path), delta.transaction_version(path, "day")) == (3, 1)
    expected = merged_by_hand([day(0, rows=200), rows])
    assert_frame_equal(delta.scan(path).sort("id").collect(), expected)


def test_rows_are_not_parted_by_keys_whose_bounds_the_log_does_not_have(path: str) -> None:
    properties = {"delta.dataSkippingNumIndexedCols": "0"}
    delta.merge(path, day(0, rows=200), keys=KEYS, transactions={}, properties=properties)
    merge_rows = day(20)
    [whole] = merging.in_parts(DeltaTable(path), merge_rows, KEYS)
    assert whole is merge_rows


def test_a_key_that_is_true_or_false_is_merged_as_often_as_it_comes(path: str) -> None:
    for value in (1, 2):
        rows = pl.DataFrame({"id": [1, 1], "open": [True, False], "value": [value, value]})
        delta.merge(path, rows, keys=["id", "open"], transactions={})
    assert delta.scan(path).collect()["value"].to_list() == [2, 2]


def test_a_column_of_any_name_is_merged(tmp_path: Path) -> None:
    path = str(tmp_path / "odd")
    for number in (1, 2):
        rows = pl.DataFrame({"id`s": [number, 3], "a `b`": [number, number]})
        delta.merge(path, rows, keys=["id`s"], transactions={"day": number})
    assert sorted(delta.scan(path).collect().rows()) == [(1, 1), (2, 2), (3, 2)]
