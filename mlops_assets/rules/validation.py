"""All rules of a table in one pass: what passes, what fails and by which rules, and the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from mlops_assets.rules import checker, polars, typed
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.outcome import FAILED_RULES, MASK, QUARANTINES, Rule, RuleOutcome, table_outcome
from mlops_assets.rules.typed import Checked
from mlops_assets.rules.types import schema_of


@dataclass(frozen=True)
class Validation:
    """The rows split by error and critical rules; `failed` has the additional column `_failed_rules`.

    `broken` has, for each row in the frame's order, whether it is in `failed`.
    """

    passed: pl.DataFrame
    failed: pl.DataFrame
    outcomes: tuple[RuleOutcome, ...]
    broken: pl.Series


@dataclass(frozen=True)
class _Compiled:
    """A rule ready to run, with the column of the pass that holds its verdicts."""

    rule: Rule
    checked: Checked
    expression: pl.Expr
    key: str


def validate(
    frame: pl.DataFrame | pl.LazyFrame,
    rules: Sequence[Rule],
    *,
    as_of: datetime | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
    sensitive: Sequence[str] = (),
    examples: int = 3,
) -> Validation:
    """Evaluate rules over a frame in one pass.

    `table` names the frame, `tables` maps other tables' names to frames; values of `sensitive` columns are
    masked in the examples. Raises RuleError where a rule does not fit the frame.
    """
    data = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    compiled = _compile(data, rules, table, tables or {}, as_of)
    verdicts = polars.verdicts(data.lazy(), [c.expression for c in compiled if _by_row(c)])
    facts = data.select(pl.lit(0).alias("none"), *(c.expression for c in compiled if not _by_row(c)))
    failing = {c.key: _failing(verdicts[c.key]) for c in compiled if _by_row(c)}
    broken, passed, failed = _split(data, compiled, failing)
    shown = _Examples(data, frozenset(sensitive), examples)
    outcomes = tuple(
        _row_outcome(c, data.height, failing[c.key], verdicts[c.key].null_count(), shown)
        if _by_row(c)
        else table_outcome(c.rule, c.checked, data.height, facts[c.key].item())
        for c in compiled
    )
    return Validation(passed, failed, outcomes, broken)


def _compile(
    data: pl.DataFrame,
    rules: Sequence[Rule],
    table: str | None,
    tables: Mapping[str, Any],
    as_of: datetime | None,
) -> list[_Compiled]:
    schema, schemas = schema_of(data), {name: schema_of(other) for name, other in tables.items()}
    now = EvaluationContext(as_of).now
    found = []
    for index, rule in enumerate(rules):
        checked = checker.check(rule.condition, schema, table=table, tables=schemas)
        expression = polars.compile_rule(checked, EvaluationContext(now, rule.tolerance, tables))
        found.append(_Compiled(rule, checked, expression.alias(f"rule {index}"), f"rule {index}"))
    return found


def _failing(verdicts: pl.Series) -> pl.Series:
    """The indices of the rows that do not pass; fast if there are none, as for most rules."""
    if verdicts.null_count() == 0 and verdicts.all():
        return pl.Series(verdicts.name, dtype=pl.UInt32)
    return (~verdicts.fill_null(False)).arg_true()


def _by_row(compiled: _Compiled) -> bool:
    return not compiled.checked.table_level


def _split(
    data: pl.DataFrame, compiled: Sequence[_Compiled], failing: Mapping[str, pl.Series]
) -> tuple[pl.Series, pl.DataFrame, pl.DataFrame]:
    """Which rows break an error or critical rule; those that do not; those that do, with all their rules."""
    broken = np.zeros(data.height, dtype=bool)
    for c in compiled:
        if _by_row(c) and c.rule.severity in QUARANTINES:
            broken[failing[c.key].to_numpy()] = True
    mask = pl.Series("broken", broken)
    names = _failed_rules(np.flatnonzero(broken), compiled, failing)
    if not len(names):
        return mask, data, data.clear().with_columns(names)
    return mask, data.filter(~mask), data.filter(mask).with_columns(names)


def _failed_rules(
    rows: "np.ndarray[Any, Any]", compiled: Sequence[_Compiled], failing: Mapping[str, pl.Series]
) -> pl.Series:
    """One list of rule names for each of `rows` (ascending), in the order of the rules."""
    hits = [_places(rows, failing[c.key].to_numpy()) if _by_row(c) else rows[:0] for c in compiled]
    row = np.concatenate([*hits, rows[:0]])
    rule = np.repeat(np.arange(len(hits), dtype=np.int32), [len(hit) for hit in hits])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))])
    order = np.argsort(row, kind="stable")
    names = pa.array([c.rule.name for c in compiled], pa.large_string())
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), names.take(pa.array(rule[order])))
    return pl.Series(FAILED_RULES, pl.from_arrow(lists), dtype=pl.List(pl.String))


def _places(rows: "np.ndarray[Any, Any]", wanted: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Where those of `wanted` that are among `rows` stand in it; both ascend."""
    if not len(rows):
        return rows
    found: np.ndarray[Any, Any] = np.searchsorted(rows, wanted)
    among: np.ndarray[Any, Any] = found[rows[np.minimum(found, len(rows) - 1)] == wanted]
    return among


@dataclass(frozen=True)
class _Examples:
    """Takes a few rows' values of the columns a rule reads, sensitive ones masked."""

    data: pl.DataFrame
    sensitive: frozenset[str]
    limit: int

    def of(self, checked: Checked, rows: pl.Series) -> tuple[dict[str, Any], ...]:
        """The first failing rows as the rule saw them."""
        names = typed.columns(checked)
        if not names or not self.limit:
            return ()
        found = self.data.select(pl.nth(*(self.data.get_column_index(n) for n in names)))[rows.head(self.limit)]
        return tuple({n: self._value(n, v) for n, v in row.items()} for row in found.iter_rows(named=True))

    def _value(self, name: str, value: Any) -> Any:
        return MASK if name in self.sensitive and value is not None else value


def _row_outcome(c: _Compiled, rows: int, failing: pl.Series, unknown: int, shown: _Examples) -> RuleOutcome:
    return RuleOutcome(
        rule=c.rule,
        rows=rows,
        failed_rows=len(failing),
        unknown_rows=unknown,
        examples=shown.of(c.checked, failing),
        passed=len(failing) == 0,
        table_level=False,
        empty=rows == 0,
    )
