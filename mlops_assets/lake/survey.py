"""The figures of a run before anything is written, and whether they block it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.lake.batch import Batch
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.stretches import Stretch
from mlops_assets.rules import Rule, RuleOutcome, is_table_level, parse
from mlops_assets.rules.outcome import added

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig
    from mlops_assets.lake.refine import Work

EXAMPLES = 3
WORST = 3  # rules named in the reason if too many rows break error rules


@dataclass(frozen=True)
class Survey:
    """A run's figures."""

    read: int
    good: int
    bad: int
    outcomes: tuple[RuleOutcome, ...]

    @staticmethod
    def of(batch: Batch[Any]) -> "Survey":
        """The figures of a run in one batch."""
        return Survey(batch.read, batch.good_rows, batch.bad_rows, batch.outcomes)


def together(engine: Engine[Any], aside: Sequence[Batch[Any]]) -> Batch[Any]:
    """Batches put aside, as one batch whose rows are read as they are written."""
    return Batch(
        engine.together([each.good for each in aside]),
        engine.together([each.bad for each in aside]),
        sum(each.good_rows for each in aside),
        sum(each.bad_rows for each in aside),
        aside[0].outcomes,
        sum(each.read for each in aside),
        sum((Counter(each.added) for each in aside), Counter()),
        sum((Counter(each.removed) for each in aside), Counter()),
    )


def survey(work: "Work", found: Sequence[Stretch], folder: Path) -> tuple[Survey, list[Batch[Any]]]:
    """Validate all stretches, one at a time, and put their batches aside; table-level rules apply to all together."""
    rules = work.rules
    table_rules = [rule for rule in rules if is_table_level(parse(rule.condition))]
    row_rules = tuple(rule for rule in rules if rule not in table_rules)
    aside = [_put_aside(work, stretch, row_rules, folder / str(number)) for number, stretch in enumerate(found)]
    by_row = iter([added(outcomes, EXAMPLES) for outcomes in zip(*(each.outcomes for each in aside), strict=True)])
    by_table = iter(_of_the_table(work, found, table_rules))
    total = Survey(
        sum(each.read for each in aside),
        sum(each.good_rows for each in aside),
        sum(each.bad_rows for each in aside),
        tuple(next(by_table) if rule in table_rules else next(by_row) for rule in rules),
    )
    return total, aside


def _put_aside(work: "Work", stretch: Stretch, rules: Sequence[Rule], file: Path) -> Batch[Any]:
    arrived = work.engine.arrivals(work.tables.bronze, stretch)
    batch = work.engine.prepare(work.config, arrived, work.run, work.others, rules)
    good = work.engine.put_aside(batch.good, file.with_suffix(".good"))
    return replace(batch, good=good, bad=work.engine.put_aside(batch.bad, file.with_suffix(".bad")))


def _of_the_table(work: "Work", found: Sequence[Stretch], rules: Sequence[Rule]) -> Sequence[RuleOutcome]:
    if not rules:
        return []
    parts = (work.engine.arrivals(work.tables.bronze, stretch) for stretch in found)
    return work.engine.table_outcomes(work.config, parts, work.run, work.others, rules)


def blocking(
    config: "DataConfig", found: Survey, present: int, broken: Callable[[], Mapping[str, int]]
) -> tuple[str, ...]:
    """The reasons to block everything downstream; empty if there are none.

    `present` is the number of rows in silver; `broken` counts the bad rows by rule.
    """
    reasons = []
    share = found.bad / found.read if found.read else 0.0
    if share > config.max_error_fraction:
        allowed = f"more than max_error_fraction {config.max_error_fraction:.2%}"
        worst = sorted(broken().items(), key=lambda rule: (-rule[1], rule[0]))[:WORST]
        named = ", ".join(f"{name} ({rows} rows)" for name, rows in worst)
        reasons.append(f"{share:.2%} of {found.read} rows break error rules, {allowed}; most break {named}")
    if present + found.good < config.min_rows:
        reasons.append(f"{present + found.good} rows, fewer than min_rows {config.min_rows}")
    for outcome in found.outcomes:
        severe = outcome.rule.severity == "critical" or (outcome.table_level and outcome.rule.severity == "error")
        if severe and not outcome.passed:
            reasons.append(
                f"rule '{outcome.rule.name}' ({outcome.rule.severity}) does not hold: {outcome.rule.condition}"
            )
    return tuple(reasons)
