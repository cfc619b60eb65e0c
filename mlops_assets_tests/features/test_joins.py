from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from mlops_assets.config.features import Join
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.joins import join_tables

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(*hours: float | None) -> list[datetime | None]:
    return [None if hour is None else START + timedelta(hours=hour) for hour in hours]


def join(**fields: object) -> Join:
    return Join.model_validate({"table": "right", "on": ["key"], **fields})


def joined(left: pl.DataFrame, right: pl.DataFrame, *joins: Join) -> pl.DataFrame:
    return join_tables(left.lazy(), joins, {"right": right.lazy()}, time="time").collect()


def test_an_as_of_join_equals_a_loop_over_every_row() -> None:
    random = np.random.default_rng(0)
    left = pl.DataFrame(
        {
            "key": random.integers(0, 4, 200),
            "time": at(*random.integers(0, 100, 200).tolist()),
            "row": range(200),
        }
    )
    right = pl.DataFrame(
        {
            "key": random.integers(0, 4, 300),
            "seen": at(*random.integers(0, 100, 300).tolist()),
            "value": range(300),
        }
    )
    found = joined(left, right, join(as_of="seen", tolerance="10h"))
    expected = []
    for row in left.iter_rows(named=True):
        best = None
        for other in right.iter_rows(named=True):
            early = timedelta(0) <= row["time"] - other["seen"] <= timedelta(hours=10)
            if other["key"] == row["key"] and early and (best is None or other["seen"] >= best["seen"]):
                best = other
        expected.append(None if best is None else best["value"])
    assert found["row"].to_list() == left["row"].to_list()
    assert found["value"].to_list() == expected


def test_planted_future_values_do_not_leak_through_an_as_of_join() -> None:
    random = np.random.default_rng(1)
    label = random.random(500) < 0.5
    hours = np.sort(random.uniform(0, 1000, 500))
    left = pl.DataFrame({"key": ["a"] * 500, "time": at(*hours.tolist()), "label": label})
    # The truth is written down right after each row's time: then only earlier truths are known.
    right = pl.DataFrame({"key": ["a"] * 500, "seen": at(*(hours + 1e-6).tolist()), "truth": label})
    known = joined(left, right, join(as_of="seen"))
    assert known["truth"].to_list() == [None, *label[:-1].tolist()]
    agreement = (known["truth"] == known["label"]).mean()
    assert agreement == pytest.approx(0.5, abs=0.08)


def test_a_row_of_the_same_instant_is_joined_only_where_exact_matches_are_allowed() -> None:
    left = pl.DataFrame({"key": ["a"], "time": at(5)})
    right = pl.DataFrame({"key": ["a", "a"], "seen": at(4, 5), "value": [4, 5]})
    assert joined(left, right, join(as_of="seen"))["value"].to_list() == [5]
    assert joined(left, right, join(as_of="seen", allow_exact=False))["value"].to_list() == [4]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tolerance": "1d"}, "a lookup by key heeds no time"),
        ({"left_time": "time"}, "a lookup by key heeds no time"),
        ({"allow_exact": False}, "a lookup by key heeds no time"),
        ({"columns": ["a"], "rename": {"b": "c"}}, "'b' is none of the columns that are taken"),
    ],
)
def test_what_a_join_says_in_vain_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        join(**fields)


def test_of_several_rows_of_one_instant_the_tables_last_one_counts() -> None:
    left = pl.DataFrame({"key": ["a"], "time": at(5)})
    right = pl.DataFrame({"key": ["a", "a", "a"], "seen": at(4, 4, 4), "value": [2, 9, 1]})
    assert joined(left, right, join(as_of="seen"))["value"].to_list() == [1]


def test_null_keys_and_null_times_match_nothing_and_no_row_is_lost() -> None:
    left = pl.DataFrame({"key": ["a", None, "a"], "time": at(5, 5, None)})
    right = pl.DataFrame({"key": ["a", None, "a"], "seen": at(4, 4, None), "value": [1, 2, 3]})
    assert joined(left, right, join(as_of="seen"))["value"].to_list() == [1, None, None]
    lookup = right.select("key", "value").head(2)
    assert joined(left, lookup, join())["value"].to_list() == [1, None, 1]


def test_a_lookup_brings_renamed_columns_and_keeps_order_and_number_of_rows() -> None:
    left = pl.DataFrame({"code": ["b", "x", "a", "b"], "time": at(1, 2, 3, 4)})
    right = pl.DataFrame({"key": ["a", "b"], "year": [1, 2], "seats": [3, 4], "_row_id": ["p", "q"]})
    found = joined(left, right, join(on={"code": "key"}, rename={"year": "built"}, prefix="plane_"))
    assert found.columns == ["code", "time", "plane_built", "plane_seats"]
    assert found["plane_built"].to_list() == [2, None, 1, 2]


def test_a_lookup_by_something_that_is_no_key_is_refused_with_an_example() -> None:
    left = pl.DataFrame({"key": ["a"], "time": at(1)})
    right = pl.DataFrame({"key": ["a", "a", "b"], "value": [1, 2, 3]})
    with pytest.raises(FeatureError, match=r"\(right\): 1 keys are in several rows, such as key='a'"):
        joined(left, right, join())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": ["valeu"]}, r"'right' has no column 'valeu'; did you mean 'value'\?"),
        ({"on": {"kee": "key"}}, r"the table so far has no column 'kee'; did you mean 'key'\?"),
        ({"table": "rigth"}, r"joins\[0\] \(rigth\): no table 'rigth'; did you mean 'right'\?"),
        ({"columns": ["value"], "rename": {"value": "time"}}, "brings a column 'time' that is there already"),
        ({"on": {"time": "key"}}, "key 'key' is String and is compared with Datetime"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(fields: dict[str, object], message: str) -> None:
    left = pl.DataFrame({"key": ["a"], "time": at(1)})
    right = pl.DataFrame({"key": ["a"], "value": [1]})
    with pytest.raises(FeatureError, match=message):
        joined(left, right, join(**fields))


@pytest.mark.parametrize("as_of", [None, "known"])
def test_a_key_that_the_left_type_does_not_hold_matches_nothing(as_of: str | None) -> None:
    left = pl.DataFrame({"key": pl.Series([1, 255, None], dtype=pl.UInt8), "time": at(5, 5, 5)})
    right = pl.DataFrame({"key": [-1, 1, 2**40], "known": at(1, 1, 1), "value": [10, 20, 30]})
    fields = {"as_of": as_of} if as_of else {"columns": ["value"]}
    assert joined(left, right, join(on=["key"], **fields))["value"].to_list() == [20, None, None]
