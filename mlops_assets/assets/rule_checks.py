"""The rules of a table as asset checks: one per rule, and two for the table as a whole.

A row that breaks an error rule is in quarantine and stops nothing, so its check fails as a warning; what must stop
everything downstream fails as an error and blocks.
"""

import dagster as dg

from mlops_assets.config import DataConfig
from mlops_assets.lake.batch import silver_rules
from mlops_assets.steps.rule_checks import ACCOUNT, SHARE, stops_everything


def rule_check_specs(asset: dg.AssetKey, config: DataConfig) -> list[dg.AssetCheckSpec]:
    """One check per rule, the share of quarantined rows, and that every row is accounted for."""
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
