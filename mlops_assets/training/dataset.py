"""What training reads: features, and the label and weights beside them from the features' source."""

from collections.abc import Sequence

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.joins import require_columns
from mlops_assets.features.table import identity
from mlops_assets.features.transforms import resolve


def training_frame(
    features: pl.LazyFrame, source: pl.LazyFrame, config: TrainingConfig, feature_config: FeatureConfig
) -> pl.DataFrame:
    """One row per row of the feature table, sorted by its keys: keys, timestamp, raw features, label, weight,
    and the columns a split or a slice is by.

    What the feature table does not hold comes from its source, from the row of the same primary key (and
    timestamp, where both have it). Raises FeatureError naming a column that neither has.
    """
    schema, source_schema = features.collect_schema(), source.collect_schema()
    known = {**source_schema, **schema}
    raw = list(resolve(config.feature_columns, known, feature_config.feature_transformations))
    keys = [key for key in identity(feature_config) if key in schema]
    others_wanted = beside(config)
    wanted = list(dict.fromkeys([*keys, *raw, *others_wanted]))
    missing = [name for name in wanted if name not in schema]
    if not missing:
        return features.select(wanted).sort(keys, nulls_last=True).collect()
    on = [key for key in keys if key in source_schema]
    require_columns(feature_config.primary_keys, source_schema.names(), f"'{feature_config.source_table}'")
    require_columns(missing, source_schema.names(), f"'{feature_config.source_table}'")
    others = source.select(*on, *missing)
    present = [name for name in wanted if name in schema]
    joined = features.select(present).join(others, on=on, how="left", validate="m:1", nulls_equal=True)
    return joined.select(wanted).sort(keys, nulls_last=True).collect()


def beside(config: TrainingConfig) -> Sequence[str]:
    """Label, weight, time, groups and slices, as far as the document has them."""
    named = (config.target_column, config.sample_weight_column, config.time_column, config.group_column)
    groups = (config.gate.resample_by, *(bound.column for bound in config.gate.fairness))
    return [*(name for name in (*named, *groups) if name), *config.slices]
