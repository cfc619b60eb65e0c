"""Bronze rows shaped, validated, and shared out between silver and the quarantine, with Spark."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.config.base import last_part
from mlops_assets.lake.batch import Batch, Run, silver_rules
from mlops_assets.lake.history import FROM, refuse_own
from mlops_assets.lake.shape import FAILED
from mlops_assets.lake.spark.shape import ARRIVAL, explodes, shape
from mlops_assets.lake.spark.transforms import GONE, INTERNAL, LOST, PLACE, ROW, alive
from mlops_assets.lake.spark.types import quoted
from mlops_assets.lake.transforms import require_columns
from mlops_assets.rules import Rule, spark_validation
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlops_assets.config import DataConfig


def prepare(
    config: "DataConfig",
    bronze: "DataFrame",
    run: Run,
    others: Mapping[str, Any],
    rules: Sequence[Rule] | None,
    keep: Callable[["DataFrame"], "DataFrame"],
) -> Batch["DataFrame"]:
    """Bronze rows shaped and validated; meaning and parameters as in `lake.prepare`. Writes nothing.

    Good rows keep `transforms.ROW` and `PLACE`, the order of their arrival, until they are written. `keep` gets
    the frames that are read more than once.
    """
    shaped = keep(shape(config, bronze, run.as_of))
    validation = spark_validation.validate(
        shaped.where(alive()).drop(LOST, GONE),
        silver_rules(config) if rules is None else rules,
        as_of=run.as_of,
        table=last_part(config.destination_path),
        tables=others,
        sensitive=config.sensitive_columns,
        beside=(ROW, PLACE),
    )
    reasons = keep(_reasons(config, shaped, validation.failed))
    good = validation.passed
    if explodes(config):
        good = good.join(reasons.select(ROW), on=ROW, how="left_anti")
    if config.mode == "scd2":
        refuse_own(good.columns)
    if config.mode == "scd2" and config.sequence is None:
        # A version is valid from its arrival, also where it waited in quarantine.
        good = good.withColumn(FROM, functions().col(ROW).getField("_ingested_at"))
    bad = _bad(bronze, reasons, run)
    good_rows, bad_rows, read = good.count(), bad.count(), bronze.count()
    gone = shaped.where(functions().col(GONE).isNotNull()).count()
    added = good_rows + bad_rows + gone - read if explodes(config) else 0
    added_by, removed_by = {"explode": added}, {"filter": gone}
    return Batch(good, bad, good_rows, bad_rows, validation.outcomes, read, some(added_by), some(removed_by))


def some(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in counts.items() if count}


def _reasons(config: "DataConfig", shaped: "DataFrame", failed: "DataFrame") -> "DataFrame":
    """`ROW` and its failures, once per bronze row."""
    f = functions()
    unreadable = shaped.where(f.col(LOST).isNotNull()).select(ROW, f.col(LOST).alias(FAILED))
    reasons = unreadable.unionByName(failed.select(ROW, FAILED))
    if not explodes(config):
        return reasons
    together = f.array_distinct(f.flatten(f.collect_list(FAILED)))
    return reasons.groupBy(ROW).agg(together.alias(FAILED))


def _bad(bronze: "DataFrame", reasons: "DataFrame", run: Run) -> "DataFrame":
    """The bronze rows of `reasons`, as they arrived."""
    f = functions()
    named = reasons.select(*(f.col(ROW).getField(name).alias(f"__{name}") for name in ARRIVAL), FAILED)
    same = [quoted(name) == f.col(f"__{name}") for name in ARRIVAL]
    found = bronze.join(named, on=same, how="inner")
    return found.select(*(quoted(name) for name in bronze.columns), FAILED, f.lit(run.id).alias("_run_id"))


def without_duplicates(config: "DataConfig", frame: "DataFrame") -> tuple["DataFrame", dict[str, int]]:
    """One row a key; meaning as in `lake.shape.without_duplicates`."""
    before, removed = frame.count(), {"deduplicate": 0}
    for step in config.transformation_steps:
        if step.type == "deduplicate":
            require_columns(step, [name for name in frame.columns if name not in INTERNAL])
            frame = first_of_each(frame, step.keys, step.order_by, step.keep)
            after = frame.count()
            removed["deduplicate"] += before - after
            before = after
    if config.mode == "merge":
        order = [config.sequence] if config.sequence else []
        frame = first_of_each(frame, config.primary_keys, order, "last")
        removed["merge"] = before - frame.count()
    # A history has still to be put in the order of arrival.
    return frame if config.mode == "scd2" else frame.drop(*INTERNAL), removed


def first_of_each(frame: "DataFrame", keys: Sequence[str], order: Sequence[str], keep: str) -> "DataFrame":
    """The first or last row of each key, in the order of columns (nulls first) and then of arrival."""
    from pyspark.sql import Window

    f = functions()
    arrived = [*(quoted(name) for name in order), f.col(ROW), f.col(PLACE)]
    ranked = [each.asc_nulls_first() if keep == "first" else each.desc_nulls_last() for each in arrived]
    rank = f.row_number().over(Window.partitionBy(*(quoted(key) for key in keys)).orderBy(*ranked))
    return frame.withColumn("__rank", rank).where("__rank = 1").drop("__rank")
