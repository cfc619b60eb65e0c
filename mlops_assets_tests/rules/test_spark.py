"""Rules on Spark mean what they mean in the plain interpreter."""

from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings

from mlops_assets.rules import check, evaluate, interpreter, spark_operations, typed
from mlops_assets.rules import spark as engine
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.polars_operations import OPERATIONS
from mlops_assets_tests.rules.generate import AS_OF, KINDS, OTHER, World, cases
from mlops_assets_tests.rules.spark_frames import to_spark
from mlops_assets_tests.rules.test_engines_agree import PLAIN_RUN, SCHEMAS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
RULES_A_FRAME = 20


def test_both_engines_have_the_same_operations() -> None:
    from mlops_assets.rules import polars

    assert {*spark_operations.OPERATIONS, *engine._WITH_CONTEXT} == {*OPERATIONS, *polars._WITH_CONTEXT}


@pytest.fixture(scope="module")
def sample(spark: "SparkSession") -> "DataFrame":
    frame = pl.DataFrame(
        {"n": [1, None, 2**63 - 1], "x": [0.5, float("nan"), None], "s": ["a", "2020-01-31", None],
         "d": [date(2020, 1, 31), date(1, 1, 1), None], "a b": [True, False, None],
         "t": [datetime(2020, 1, 31, 10), None, None]}
    )  # fmt: skip
    return to_spark(spark, frame)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("n + 1 is null", [False, True, True]),
        ("x is null or `a b`", [True, True, True]),
        ("n / 0 is null and n % 0 is null", [True, True, True]),
        ("s == d", [False, False, False]),
        ("s < '2020-02' or s > d", [False, True, False]),
        ("t.dt.hour == 10 and t > d", [True, False, False]),
        ("n in other.k", [True, False, False]),
        ("null_rate(n) < 0.5 and row_count == 3 and column_count == 6", [True, True, True]),
        ("is_unique(n) and n_unique(n) == 2", [True, True, True]),
    ],
)
def test_evaluate_reads_spark_frames(
    spark: "SparkSession", sample: "DataFrame", condition: str, expected: list[bool]
) -> None:
    assert evaluate(condition, sample, tables={"other": to_spark(spark, OTHER)}, as_of=AS_OF) == expected


def test_the_session_zone_does_not_change_a_verdict(spark: "SparkSession", sample: "DataFrame") -> None:
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        assert evaluate("t == '2020-01-31T10:00Z'", sample) == [True, False, False]
        assert spark.conf.get("spark.sql.session.timeZone") == "America/New_York"
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def answers(frame: "DataFrame", checked: list[typed.Checked], context: EvaluationContext) -> list[list[Any]]:
    compiled = [engine.compile_rule(c, context).alias(f"r{i}") for i, c in enumerate(checked)]
    by_row = [i for i, c in enumerate(checked) if not c.table_level]
    rows = frame.select(*(compiled[i] for i in by_row)).collect()
    whole = [i for i in range(len(checked)) if i not in by_row]
    facts = frame.agg(*(compiled[i] for i in whole)).collect()[0] if whole else {}
    return [[row[f"r{i}"] for row in rows] if i in by_row else [facts[f"r{i}"]] * len(rows)
            for i in range(len(checked))]  # fmt: skip


def test_spark_agrees_with_the_interpreter_on_500_random_rules(spark: "SparkSession") -> None:
    run = EvaluationContext(AS_OF, None, {"other": to_spark(spark, OTHER).cache()})
    seen: Counter[str] = Counter()

    @settings(max_examples=25, derandomize=True, deadline=None, database=None)
    @given(cases(KINDS, RULES_A_FRAME))
    def hold(case: tuple[World, list[str]]) -> None:
        world, texts = case
        frame = to_spark(spark, world.frame)
        checked = [check(text, engine.schema_of(frame), tables=SCHEMAS) for text in texts]
        seen["pairs"] += len(texts)
        seen.update(n.operation for c in checked for n in typed.walk(c.root) if isinstance(n, typed.Apply))
        wanted = [interpreter.evaluate(c, world.frame.to_dicts(), PLAIN_RUN) for c in checked]
        found = answers(frame, checked, run)
        assert [t for t, a, b in zip(texts, found, wanted, strict=True) if a != b] == []

    hold()
    assert seen["pairs"] >= 500
    assert len(seen) >= 40
