"""Rule outcomes as checks: one per rule, and two for the table as a whole."""

from typing import Any

from mlops_assets.config import DataConfig
from mlops_assets.lake.batch import silver_rules
from mlops_assets.lake.refine import Refined
from mlops_assets.rules import Rule, RuleOutcome, is_table_level, parse
from mlops_assets.steps.metadata import markdown_table, row_metadata
from mlops_assets.steps.result import Check

SHARE, ACCOUNT = "quarantined_share", "rows_add_up"


def stops_everything(rule: Rule) -> bool:
    """Whether a broken rule blocks what is downstream."""
    return rule.severity == "critical" or (rule.severity == "error" and is_table_level(parse(rule.condition)))


def rule_checks(config: DataConfig, refined: Refined) -> list[Check]:
    """The results of a run's checks, one for each rule and the two of the table."""
    outcomes = {outcome.rule.name: outcome for outcome in refined.outcomes}
    rules = [
        _rule_check(outcomes[rule.name]) if rule.name in outcomes else _nothing_new(rule.name)
        for rule in silver_rules(config)
    ]
    return [*rules, _share_check(config, refined), _account_check(refined)]


def _rule_check(outcome: RuleOutcome) -> Check:
    metadata: dict[str, Any] = {
        "failed_rows": outcome.failed_rows,
        "unknown_rows": outcome.unknown_rows,
        "rows": outcome.rows,
        "share": outcome.share,
    }
    if outcome.examples:
        metadata["examples"] = markdown_table(outcome.examples, list(outcome.examples[0]))
    rule = outcome.rule
    return Check(rule.name, outcome.passed, _sentence(outcome), metadata, warns=not stops_everything(rule))


def _sentence(outcome: RuleOutcome) -> str:
    if not outcome.rows:
        return "no rows to check"
    if outcome.table_level:
        return "holds" if outcome.passed else f"does not hold for the {outcome.rows} rows of this run"
    failed = f"{outcome.failed_rows} of {outcome.rows} rows fail ({outcome.share:.2%})"
    return f"{failed}, {outcome.unknown_rows} of them unknown"


def _nothing_new(name: str) -> Check:
    return Check(name, True, "no new rows since the last run", {"rows": 0}, warns=True)


def _share_check(config: DataConfig, refined: Refined) -> Check:
    share = refined.rows.quarantined / refined.rows.read if refined.rows.read else 0.0
    return Check(
        SHARE,
        share <= config.max_error_fraction,
        f"{share:.2%} of {refined.rows.read} rows quarantined, {config.max_error_fraction:.1%} allowed",
        {"share": share, "quarantined": refined.rows.quarantined, "rows": refined.rows.read},
    )


def _account_check(refined: Refined) -> Check:
    rows = refined.rows
    removed = sum(rows.removed.values())
    account = f"{rows.read} read, {rows.written} written, {rows.quarantined} quarantined, {removed} removed"
    # A blocked run moves no row: all of them are in bronze, and the next run reads them again.
    nothing = f"nothing was written; all {rows.read} rows read are still in bronze"
    passed = bool(refined.blocked) or rows.balanced
    return Check(ACCOUNT, passed, nothing if refined.blocked else account, row_metadata(rows))
