"""The rules of a table as asset checks: one a rule, and two for what the table as a whole may not break.

A row that breaks an error rule is in quarantine and stops nothing, so its check fails as a warning; what must stop
everything downstream fails as an error and blocks.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.metadata import markdown_table, row_metadata
from mlops_assets.config import DataConfig
from mlops_assets.lake.batch import silver_rules
from mlops_assets.lake.refine import Refined
from mlops_assets.rules import Rule, RuleOutcome, is_table_level, parse

SHARE, ACCOUNT = "quarantined_share", "rows_add_up"


def rule_check_specs(asset: dg.AssetKey, config: DataConfig) -> list[dg.AssetCheckSpec]:
    """One check a rule, the share of quarantined rows, and that every row is accounted for."""
    rules = [
        dg.AssetCheckSpec(
            rule.name,
            asset=asset,
            description=f"`{rule.condition}` {rule.description}".strip(),
            blocking=stops_everything(rule),
            metadata={"severity": rule.severity, "condition": rule.condition},
        )
        for rule in silver_rules(config)
    ]
    share = dg.AssetCheckSpec(
        SHARE,
        asset=asset,
        blocking=True,
        description=f"At most {config.max_error_fraction:.1%} of a run's rows may break error rules.",
    )
    account = dg.AssetCheckSpec(
        ACCOUNT,
        asset=asset,
        blocking=True,
        description="Rows read = rows written + quarantined + removed by declared steps.",
    )
    return [*rules, share, account]


def stops_everything(rule: Rule) -> bool:
    """Whether a broken rule blocks what is downstream."""
    return rule.severity == "critical" or (rule.severity == "error" and is_table_level(parse(rule.condition)))


def rule_checks(asset: dg.AssetKey, config: DataConfig, done: Refined) -> list[dg.AssetCheckResult]:
    """The results of a run's checks, one for each spec."""
    outcomes = {outcome.rule.name: outcome for outcome in done.outcomes}
    rules = [
        _rule_check(asset, outcomes[rule.name]) if rule.name in outcomes else _nothing_new(asset, rule.name)
        for rule in silver_rules(config)
    ]
    return [*rules, _share_check(asset, config, done), _account_check(asset, done)]


def block(asset: dg.AssetKey, reasons: Sequence[str]) -> dg.Failure:
    """The failure of a step that wrote nothing because its rows are not fit to go on."""
    return dg.Failure(
        f"{asset.to_user_string()}: nothing was written, and nothing downstream runs: {'; '.join(reasons)}",
        metadata={"reasons": list(reasons)},
        allow_retries=False,
    )


def _rule_check(asset: dg.AssetKey, outcome: RuleOutcome) -> dg.AssetCheckResult:
    rule = outcome.rule
    shown: dict[str, Any] = {
        "failed_rows": outcome.failed_rows,
        "unknown_rows": outcome.unknown_rows,
        "rows": outcome.rows,
        "share": outcome.share,
    }
    if outcome.examples:
        shown["examples"] = markdown_table(outcome.examples, list(outcome.examples[0]))
    return dg.AssetCheckResult(
        passed=outcome.passed,
        asset_key=asset,
        check_name=rule.name,
        severity=dg.AssetCheckSeverity.ERROR if stops_everything(rule) else dg.AssetCheckSeverity.WARN,
        description=_sentence(outcome),
        metadata=shown,
    )


def _sentence(outcome: RuleOutcome) -> str:
    if not outcome.rows:
        return "no rows to check"
    if outcome.table_level:
        return "holds" if outcome.passed else f"does not hold for the {outcome.rows} rows of this run"
    failed = f"{outcome.failed_rows} of {outcome.rows} rows fail ({outcome.share:.2%})"
    return f"{failed}, {outcome.unknown_rows} of them unknown"


def _nothing_new(asset: dg.AssetKey, name: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=True,
        asset_key=asset,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN,
        description="no new rows since the last run",
        metadata={"rows": 0},
    )


def _share_check(asset: dg.AssetKey, config: DataConfig, done: Refined) -> dg.AssetCheckResult:
    share = done.rows.quarantined / done.rows.read if done.rows.read else 0.0
    return dg.AssetCheckResult(
        passed=share <= config.max_error_fraction,
        asset_key=asset,
        check_name=SHARE,
        description=f"{share:.2%} of {done.rows.read} rows quarantined, {config.max_error_fraction:.1%} allowed",
        metadata={"share": share, "quarantined": done.rows.quarantined, "rows": done.rows.read},
    )


def _account_check(asset: dg.AssetKey, done: Refined) -> dg.AssetCheckResult:
    rows = done.rows
    removed = sum(rows.removed.values())
    told = f"{rows.read} read, {rows.written} written, {rows.quarantined} quarantined, {removed} removed"
    return dg.AssetCheckResult(
        passed=bool(done.blocked) or rows.balanced,
        asset_key=asset,
        check_name=ACCOUNT,
        # A blocked run moves no row: all of them are in bronze, and the next run reads them again.
        description=f"nothing was written; all {rows.read} rows read are still in bronze" if done.blocked else told,
        metadata=row_metadata(rows),
    )
