"""The outcome of a rule over a table: its figures, its verdict, and how those of several batches add up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlops_assets.rules import typed
from mlops_assets.rules.typed import Checked

Severity = Literal["info", "warning", "error", "critical"]
QUARANTINES = frozenset({"error", "critical"})
FAILED_RULES = "_failed_rules"
MASK = "***"


@dataclass(frozen=True)
class Rule:
    """A named condition; `tolerance` is absolute and widens the equality of floats."""

    name: str
    condition: str
    severity: Severity = "error"
    tolerance: float | None = None
    description: str = ""


@dataclass(frozen=True)
class RuleOutcome:
    """A rule's figures over one table. `unknown_rows` are part of `failed_rows`.

    A table-level rule has one verdict and no rows. `empty`: it passed only because there were no rows.
    """

    rule: Rule
    rows: int
    failed_rows: int
    unknown_rows: int
    examples: tuple[dict[str, Any], ...]
    passed: bool
    table_level: bool
    empty: bool

    @property
    def share(self) -> float:
        """Failed rows as a share of all rows; 0 for a table-level rule or an empty table."""
        return self.failed_rows / self.rows if self.rows else 0.0


def table_outcome(rule: Rule, checked: Checked, rows: int, verdict: bool | None) -> RuleOutcome:
    """The outcome of a table-level rule. On an empty table, a rule that reads columns passes."""
    empty = rows == 0 and bool(typed.columns(checked))
    return RuleOutcome(rule, rows, 0, 0, (), passed=empty or bool(verdict), table_level=True, empty=empty)


def added(outcomes: Sequence[RuleOutcome], examples: int) -> RuleOutcome:
    """One rule's figures over all batches."""
    all_examples = [row for outcome in outcomes for row in outcome.examples][:examples]
    rows = sum(outcome.rows for outcome in outcomes)
    return replace(
        outcomes[0],
        rows=rows,
        failed_rows=sum(outcome.failed_rows for outcome in outcomes),
        unknown_rows=sum(outcome.unknown_rows for outcome in outcomes),
        examples=tuple(all_examples),
        passed=all(outcome.passed for outcome in outcomes),
        empty=rows == 0,
    )
