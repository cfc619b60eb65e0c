"""The training rows: features, joined with label and weights from the features' source."""

from collections.abc import Sequence

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.joins import require_columns
from mlops_assets.features.table import identity
from mlops_assets.features.transforms import resolve
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.learnable import SUPERVISED
from mlops_assets.training.memory import USABLE, free_memory, gigabytes, table_bytes

# The peak over `table_bytes` while rows are read, joined, sorted and written: measured 3.1 of 1 M rows of 33 columns of
# numbers, and 2.3 of 12 texts and 8 others.
COPIES = 3.1


def training_frame(
    features: pl.LazyFrame, source: pl.LazyFrame, config: TrainingConfig, feature_config: FeatureConfig
) -> pl.DataFrame:
    """One row per row of the feature table, sorted by its keys: keys, timestamp, raw features, label, weight,
    and the columns a split or a slice is by.

    What the feature table does not hold comes from its source, from the row of the same primary key (and
    timestamp, where both have it).

    Raises:
        FeatureError: neither has a column.
        TrainingError: the rows would not fit into the memory that is free, with what would help.
    """
    schema, source_schema = features.collect_schema(), source.collect_schema()
    known = {**source_schema, **schema}
    raw = list(resolve(config.feature_columns, known, feature_config.feature_transformations))
    keys = [key for key in identity(feature_config) if key in schema]
    # Without it, clustering and anomaly detection have no labels.
    absent = {config.target_column} - {*known} if config.model_type not in SUPERVISED else set()
    others_wanted = [name for name in non_feature_columns(config) if name not in absent]
    wanted = list(dict.fromkeys([*keys, *raw, *others_wanted]))
    missing = [name for name in wanted if name not in schema]
    _require_memory(features, [known[name] for name in wanted if name in known])
    if not missing:
        return features.select(wanted).sort(keys, nulls_last=True).collect()
    on = [key for key in keys if key in source_schema]
    require_columns(feature_config.primary_keys, source_schema.names(), f"'{feature_config.source_table}'")
    require_columns(missing, source_schema.names(), f"'{feature_config.source_table}'")
    others = source.select(*on, *missing)
    present = [name for name in wanted if name in schema]
    joined = features.select(present).join(others, on=on, how="left", validate="m:1", nulls_equal=True)
    return joined.select(wanted).sort(keys, nulls_last=True).collect()


def _require_memory(features: pl.LazyFrame, types: Sequence[pl.DataType]) -> None:
    rows, free = int(features.select(pl.len()).collect().item()), free_memory()
    needed = int(COPIES * table_bytes(rows, types))
    if needed > free * USABLE:
        raise TrainingError(
            f"feature_columns: {rows:,} rows of {len(types)} columns take about {gigabytes(needed)} while the training "
            f"set is made, and {gigabytes(free)} are free; take fewer feature_columns and slices, a feature table of "
            "fewer rows, or a machine with more memory"
        )


def non_feature_columns(config: TrainingConfig) -> Sequence[str]:
    """Label, weight, time, groups and slices, as far as the document has them."""
    named = (config.target_column, config.sample_weight_column, config.time_column, config.group_column)
    groups = (config.gate.resample_by, *(bound.column for bound in config.gate.fairness))
    return [*(name for name in (*named, *groups) if name), *config.slices]
