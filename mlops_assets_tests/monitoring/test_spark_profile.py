"""Profiles of a Spark frame are those of the same rows in Polars."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from mlops_assets.monitoring.profile import Profile, Reference, fit_reference, summarise
from mlops_assets.monitoring.spark_profile import summarise_on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = ["number", "whole", "price", "name", "rare", "flag", "day", "at"]


def rows(count: int, shift: int = 0) -> pl.DataFrame:
    """Nulls and NaN in some, names and levels that the shifted rows alone have."""
    places = range(shift, shift + count)
    return pl.DataFrame(
        {
            "number": [None if n % 13 == 0 else float("nan") if n % 17 == 0 else (n * 37 % 101) / 7 for n in places],
            "whole": [n * 31 % 97 for n in places],
            "price": [Decimal(n % 50) / 4 for n in places],
            "name": [None if n % 11 == 0 else f"n{n % 9 + shift}" for n in places],
            "rare": [f"r{n % 40}" for n in places],
            "flag": [None if n % 5 == 0 else n % 2 == 0 for n in places],
            "day": [date(2024, 1, 1) + timedelta(days=n % 60) for n in places],
            "at": [FIRST + timedelta(seconds=n * 977) for n in places],
        },
        schema_overrides={"price": pl.Decimal(10, 2)},
    )


def on_spark(spark: "SparkSession", frame: pl.DataFrame) -> "DataFrame":
    return spark.createDataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest())).repartition(3)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit_reference(rows(900), COLUMNS, max_levels=20)


def equal(ours: Profile, theirs: Profile) -> None:
    assert (ours.reference_id, ours.rows, list(ours.columns)) == (
        theirs.reference_id,
        theirs.rows,
        list(theirs.columns),
    )
    for name, column in ours.columns.items():
        other = theirs.columns[name]
        assert column.counts.tolist() == other.counts.tolist(), name
        outside = ("null", "unseen", "other", "minimum", "maximum")
        assert [getattr(column, each) for each in outside] == [getattr(other, each) for each in outside], name
        assert column.sums == pytest.approx(other.sums, rel=1e-12)
        assert column.squares == pytest.approx(other.squares, rel=1e-12)


@pytest.mark.parametrize("count", [2_000, 0])
def test_counts_in_every_bin_are_those_of_polars_to_the_bit(
    spark: "SparkSession", reference: Reference, count: int
) -> None:
    frame = rows(2_000, shift=3).head(count)
    equal(summarise(frame, reference), summarise_on_spark(on_spark(spark, frame), reference))


def test_a_column_that_changed_its_type_is_refused_before_a_worker_starts(
    spark: "SparkSession", reference: Reference
) -> None:
    changed = rows(3).with_columns(pl.col("whole").cast(pl.String))
    with pytest.raises(ValueError, match="'whole' was a number in the reference and is a category"):
        summarise_on_spark(on_spark(spark, changed), reference)
