import math
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_assets.config import FeatureConfig
from mlops_assets.features.aggregates import with_aggregates
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.refresh import refresh
from mlops_assets.lake import delta

START = datetime(2024, 3, 30, tzinfo=UTC)
FUNCTIONS = ["count", "sum", "mean", "min", "max", "std", "n_unique", "last"]


def config(aggregates: list[dict[str, Any]], **fields: object) -> FeatureConfig:
    given = {
        "source_table": "silver",
        "feature_table_name": "features",
        "primary_keys": ["id"],
        "features": [],
        "timestamp_column": "time",
        "aggregates": aggregates,
    }
    return FeatureConfig.model_validate({**given, **fields})


ALL = config([{"column": "amount", "functions": FUNCTIONS, "by": ["shop"], "windows": ["2h", "1d"]}])


def by_hand(values: list[Any], function: str) -> Any:
    """One aggregate of the values in a window, in order."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    match function:
        case "count":
            return len(known)
        case "n_unique":
            return len(set(known))
        case "std":
            return statistics.stdev(known) if len(known) > 1 else None
    ways: dict[str, Any] = {"sum": sum, "mean": statistics.fmean, "min": min, "max": max, "last": lambda each: each[-1]}
    return ways[function](known) if known else None


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["a", "b"])),
        st.one_of(st.none(), st.integers(0, 60)),
        st.one_of(st.none(), st.just(math.nan), st.integers(-50, 50).map(float)),
    ),
    max_size=25,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows)
def test_every_aggregate_is_that_of_a_loop_over_the_rows_before(table: list[tuple[Any, Any, Any]]) -> None:
    frame = pl.DataFrame(
        {
            "id": range(len(table)),
            "shop": pl.Series([shop for shop, _, _ in table], dtype=pl.String),
            "time": pl.Series(
                [None if at is None else START + timedelta(minutes=30 * at) for _, at, _ in table],
                dtype=pl.Datetime("us", "UTC"),
            ),
            "amount": pl.Series([amount for _, _, amount in table], dtype=pl.Float64),
        }
    )
    found = with_aggregates(frame.lazy(), frame.lazy(), ALL).collect()
    assert found.select(frame.columns).equals(frame)
    for row in found.iter_rows(named=True):
        for window, length in (("2h", timedelta(hours=2)), ("1d", timedelta(days=1))):
            past = [
                other
                for other in frame.iter_rows(named=True)
                if row["shop"] is not None
                and row["time"] is not None
                and other["time"] is not None
                and other["shop"] == row["shop"]
                and row["time"] - length <= other["time"] < row["time"]
            ]
            values = [other["amount"] for other in sorted(past, key=lambda each: (each["time"], each["id"]))]
            for function in FUNCTIONS:
                wanted = by_hand(values, function) if row["shop"] is not None and row["time"] is not None else None
                got = row[f"amount_{function}_{window}_by_shop"]
                assert got == (wanted if wanted is None else pytest.approx(wanted, abs=1e-9)), (function, window, row)


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt32, pl.Int8, pl.Boolean])
def test_the_sum_of_whole_numbers_does_not_wrap_round(dtype: Any) -> None:
    most = 1 if dtype == pl.Boolean else pl.select(dtype.max()).item()
    frame = events(300).with_columns(shop=pl.lit("a"), amount=pl.lit(most).cast(dtype))
    wanted = config([{"column": "amount", "functions": ["sum", "max"], "by": ["shop"], "windows": ["30d"]}])
    found = with_aggregates(frame.lazy(), frame.lazy(), wanted).collect()
    assert found["amount_sum_30d_by_shop"].dtype == pl.Int64
    assert found["amount_sum_30d_by_shop"].max() == most * found.filter(pl.col("time") < frame["time"][-1]).height
    assert found["amount_max_30d_by_shop"].dtype == dtype


def events(count: int = 400, seed: int = 3) -> pl.DataFrame:
    import numpy as np

    random = np.random.default_rng(seed)
    times = [START + timedelta(minutes=int(each)) for each in np.sort(random.integers(0, 10_000, count))]
    return pl.DataFrame(
        {
            "id": range(count),
            "shop": random.choice(["a", "b", "c"], count),
            "time": times,
            "amount": random.normal(size=count) * 1e6,
        }
    )


def built(tmp_path: Path, parts: list[pl.DataFrame], wanted: FeatureConfig = ALL) -> pl.DataFrame:
    """The feature table after a refresh for each part of the source."""
    source, table = str(tmp_path / "source"), str(tmp_path / "features")
    for number, part in enumerate(parts):
        delta.append(source, part, transactions={"part": number})
        refresh(wanted, source=source, joined={}, table=table)
    return delta.scan(table).sort("id").collect()


def test_a_table_grown_bit_by_bit_equals_one_built_at_once(tmp_path: Path) -> None:
    whole = events()
    cuts = [0, 130, 131, 290, 400]
    parts = [whole[start:end] for start, end in pairwise(cuts)]
    assert built(tmp_path / "parts", parts).equals(built(tmp_path / "whole", [whole]))


def test_only_the_past_within_the_longest_window_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_assets.features import build

    heights = []
    kept = build.past_of

    def counted(*arguments: Any) -> pl.LazyFrame:
        found = kept(*arguments)
        heights.append(found.collect().height)
        return found

    monkeypatch.setattr(build, "past_of", counted)
    whole = events()
    built(tmp_path, [whole[:390], whole[390:]])
    assert heights[0] == 390
    assert 10 < heights[1] < 150


def test_a_planted_future_and_the_row_itself_are_not_seen() -> None:
    frame = events(50)
    spiked = frame.with_columns(amount=pl.when(pl.col("id") >= 25).then(1e12).otherwise("amount"))
    plain, other = (with_aggregates(each.lazy(), each.lazy(), ALL).collect() for each in (frame, spiked))
    instant = frame["time"][25]
    before = pl.col("time") <= instant
    columns = ALL.aggregate_columns
    assert plain.filter(before).select(columns).equals(other.filter(before).select(columns))
    assert not plain.select(columns).equals(other.select(columns))


def test_a_day_has_24_hours_whatever_the_clocks_do_and_dates_count_too() -> None:
    zone = "Europe/Oslo"
    times = pl.Series([datetime(2024, 3, 30, 12), datetime(2024, 3, 31, 12)]).dt.replace_time_zone(zone)
    frame = pl.DataFrame({"id": [1, 2], "shop": ["a", "a"], "time": times, "amount": [5.0, 6.0]})
    found = with_aggregates(frame.lazy(), frame.lazy(), ALL).collect()
    assert found["amount_count_1d_by_shop"].to_list() == [0, 1]
    later = frame.with_columns(
        time=pl.Series([datetime(2024, 3, 30, 11), datetime(2024, 3, 31, 12)]).dt.replace_time_zone(zone)
    )
    assert with_aggregates(later.lazy(), later.lazy(), ALL).collect()["amount_count_1d_by_shop"].to_list() == [0, 1]
    days = frame.with_columns(pl.col("time").dt.date())
    assert with_aggregates(days.lazy(), days.lazy(), ALL).collect()["amount_last_1d_by_shop"].to_list() == [None, 5.0]


def test_texts_are_counted_and_the_primary_keys_group_where_nothing_else_does(tmp_path: Path) -> None:
    wanted = config(
        [{"column": "item", "functions": ["n_unique", "last"], "windows": ["1d"]}],
        primary_keys=["shop", "time"],
        features=["amount"],
    )
    frame = events(5).with_columns(shop=pl.lit("a"), item=pl.Series(["x", "y", "y", None, "z"]))
    frame = frame.with_columns(time=pl.Series([START + timedelta(hours=each) for each in range(5)]))
    found = built_by_shop(tmp_path, frame, wanted)
    assert found.columns == ["shop", "time", "amount", "item_n_unique_1d", "item_last_1d"]
    assert found["item_n_unique_1d"].to_list() == [0, 1, 2, 2, 2]
    assert found["item_last_1d"].to_list() == [None, "x", "y", "y", "y"]


def built_by_shop(tmp_path: Path, frame: pl.DataFrame, wanted: FeatureConfig) -> pl.DataFrame:
    source, table = str(tmp_path / "source"), str(tmp_path / "features")
    delta.append(source, frame, transactions={})
    refresh(wanted, source=source, joined={}, table=table)
    return delta.scan(table).sort("time").collect()


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        ({"column": "amuont"}, r"no column 'amuont'; did you mean 'amount'\?"),
        ({"by": ["shopp"]}, r"no column 'shopp'; did you mean 'shop'\?"),
        ({"column": "shop"}, "sum needs numbers, and 'shop' is String"),
    ],
)
def test_a_mistake_is_named(aggregate: dict[str, Any], message: str) -> None:
    given = {"column": "amount", "functions": ["sum"], "windows": ["1h"], **aggregate}
    frame = events(3).lazy()
    with pytest.raises(FeatureError, match=rf"aggregates\[0\].*{message}"):
        with_aggregates(frame, frame, config([given]))


def test_a_window_of_no_length_and_a_group_of_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="a window of no length"):
        config([{"column": "amount", "functions": ["sum"], "windows": ["0h"]}])
    with pytest.raises(ValidationError, match="needs by: the primary keys are the time alone"):
        config([{"column": "amount", "functions": ["sum"], "windows": ["1h"]}], primary_keys=["time"])
