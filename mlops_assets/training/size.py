"""Reading the training rows: at most `max_rows`, and an error first if they would not fit into memory."""

from collections.abc import Sequence

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.table import identity
from mlops_assets.features.transforms import resolve
from mlops_assets.training.dataset import non_feature_columns
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.learnable import learnable
from mlops_assets.training.memory import USABLE, free_memory, gigabytes, table_bytes
from mlops_assets.training.narrow import narrowed
from mlops_assets.training.splits import key_hashes

# Bytes per cell in training: a number is in the frame that the pipeline takes, in a split's part of it, and twice in
# what the estimator makes.
LEARNED = 4 * 8


def training_rows(table: pl.LazyFrame, config: TrainingConfig, features: FeatureConfig) -> pl.DataFrame:
    """The rows of `table` to learn from, with the model's columns in the smallest exact types; with `max_rows` those of
    the smallest key hashes, so that each run takes the same keys.

    Raises:
        TrainingError: they would not fit into free memory; the message suggests what to change.
        FeatureError: the label column or the window's time column is missing.
    """
    table = learnable(table, config, features)
    total = table.select(pl.len()).collect().item()
    rows = min(total, config.max_rows or total)
    schema = table.collect_schema()
    require_memory(rows, schema, free_memory(), at_once=_rows_at_once(rows, config))
    columns = _only_learned(schema, config, features)
    if rows == total:
        return narrowed(table, columns)
    keys = [key for key in identity(features) if key in schema]
    hashes = key_hashes(table.select(keys).collect(), keys, salt="sample")
    chosen = pl.Series(hashes).arg_sort().head(rows).sort()
    numbered = table.with_row_index("__row")
    return narrowed(numbered.filter(pl.col("__row").is_in(chosen.implode())).drop("__row"), columns)


def _rows_at_once(rows: int, config: TrainingConfig) -> int:
    """How many rows are in a frame of doubles at a time: a stretch, or an evaluated split."""
    if config.stretch_rows is None:
        return rows
    return min(rows, max(config.stretch_rows, int(rows * max(config.split_ratios[1:]))))


def _only_learned(schema: pl.Schema, config: TrainingConfig, features: FeatureConfig) -> list[str]:
    """The columns that only the model reads."""
    raw = resolve(config.feature_columns, schema, features.feature_transformations)
    return [name for name in raw if name not in {*identity(features), *non_feature_columns(config)}]


def estimated_bytes(rows: int, types: Sequence[pl.DataType], *, at_once: int | None = None) -> int:
    """The peak memory of training on rows with columns of these types, `at_once` rows at a time (default: all); without
    the estimator's own memory.
    """
    return table_bytes(rows, types) + (rows if at_once is None else at_once) * LEARNED * len(types)


def require_memory(rows: int, schema: pl.Schema, free: int, *, at_once: int | None = None) -> None:
    """Raises TrainingError if training on `rows` rows takes more than the usable share of `free` bytes."""
    needed = estimated_bytes(rows, schema.dtypes(), at_once=at_once)
    if needed <= free * USABLE:
        return
    fitting = int(rows * free * USABLE / needed)
    raise TrainingError(
        f"max_rows: {rows:,} rows of {len(schema)} columns take about {gigabytes(needed)} in training, and "
        f"{gigabytes(free)} are free; set max_rows to {fitting:,} or fewer to learn from a sample, take fewer "
        "feature_columns or a training_window, or set stretch_rows for an estimator with partial_fit (sgd, mlp, "
        "naive_bayes, mini_batch_kmeans)"
    )
