"""Validation on Spark gives the rows and figures that it gives on Polars."""

from typing import TYPE_CHECKING

import pytest

from mlops_assets.rules import Rule, spark_validation, validate
from mlops_assets_tests.rules.spark_frames import to_spark
from mlops_assets_tests.rules.test_validation import PEOPLE, RULES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_rows_figures_and_examples_are_those_of_polars(spark: "SparkSession") -> None:
    ours, theirs = spark_validation.validate(to_spark(spark, PEOPLE), RULES), validate(PEOPLE, RULES)
    assert [tuple(row) for row in ours.passed.collect()] == theirs.passed.rows()
    assert [row["_failed_rules"] for row in ours.failed.collect()] == theirs.failed["_failed_rules"].to_list()
    for one, other in zip(ours.outcomes, theirs.outcomes, strict=True):
        assert (one.rows, one.failed_rows, one.unknown_rows, one.passed, one.table_level, one.empty) == (
            other.rows, other.failed_rows, other.unknown_rows, other.passed, other.table_level, other.empty,
        )  # fmt: skip
        assert str(one.examples) == str(other.examples)


def test_an_empty_table_passes_on_spark_too(spark: "SparkSession") -> None:
    rules = [Rule("row", "id > 0"), Rule("rate", "null_rate(id) < 0.5"), Rule("rows", "row_count > 0")]
    result = spark_validation.validate(to_spark(spark, PEOPLE.head(1)).limit(0), rules)
    assert [(o.passed, o.empty) for o in result.outcomes] == [(True, True), (True, True), (False, False)]


def test_a_session_in_another_zone_is_refused(spark: "SparkSession") -> None:
    frame = to_spark(spark, PEOPLE)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        with pytest.raises(ValueError, match="set it to UTC"):
            spark_validation.validate(frame, RULES)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
