"""Asset checks of a silver table as a whole: its declared columns, and that its key is unique."""

import dagster as dg

from mlops_assets.config import DataConfig, Document
from mlops_assets.steps.table_checks import COLUMNS, UNIQUE, key_may_repeat


def table_check_specs(asset: dg.AssetKey, document: Document[DataConfig]) -> list[dg.AssetCheckSpec]:
    """`columns` if the document declares columns; `primary_keys_are_unique` if the write mode does not ensure it."""
    config = document.config
    specs = []
    if config.columns:
        what = "The table has the declared columns, after the steps, in their types."
        specs.append(dg.AssetCheckSpec(COLUMNS, asset=asset, blocking=True, description=what))
    if key_may_repeat(config):
        what = f"No two rows of the table have the same {', '.join(config.primary_keys)}."
        specs.append(dg.AssetCheckSpec(UNIQUE, asset=asset, blocking=True, description=what))
    return specs
