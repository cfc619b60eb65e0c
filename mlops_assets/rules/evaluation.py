"""One condition over one frame, on whichever engine the frame belongs to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from mlops_assets.rules import checker
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.polars import compile_rule, verdicts
from mlops_assets.rules.types import schema_of


def evaluate(
    condition: str,
    frame: Any,
    *,
    tolerance: float | None = None,
    as_of: datetime | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
) -> list[bool]:
    """Whether each row of a Polars or Spark frame passes, in the frame's order; an unknown does not.

    `table` names the frame and `tables` maps other tables' names to frames. A table-level rule repeats its
    verdict. `as_of` is an aware datetime, by default now in UTC. Raises RuleError where the condition does
    not fit the frame.
    """
    tables = tables or {}
    schemas = {name: schema_of(other) for name, other in tables.items()}
    checked = checker.check(condition, schema_of(frame), table=table, tables=schemas)
    context = EvaluationContext(as_of, tolerance, tables)
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        found = verdicts(frame.lazy(), [compile_rule(checked, context).alias("passes")])
        return found.get_column("passes").fill_null(False).to_list()
    from mlops_assets.rules import spark

    return spark.verdicts(checked, frame, context)
