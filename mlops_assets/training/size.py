"""Reading what is learned from: only as many rows as are asked for, and none where memory would not hold them."""

from collections.abc import Sequence

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.table import identity
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.splits import key_hashes

# Bytes of a cell at the peak of a training: a number stands in the table, in the frame that the pipeline takes, in a
# split's part of it and twice in what the estimator makes; a text in the table and as a reference and a code.
NUMBER, TEXT = 5 * 8, 24 + 4 * 8
ROW = 60  # key, label, hashes and predictions
USABLE = 0.8  # of the free memory


def training_rows(table: pl.LazyFrame, config: TrainingConfig, features: FeatureConfig) -> pl.DataFrame:
    """The rows of `table`; with `max_rows` those of the smallest key hashes, so that the same keys are taken again.

    Raises:
        TrainingError: they would not fit into the memory that is free, with what would help.
    """
    total = table.select(pl.len()).collect().item()
    rows = min(total, config.max_rows or total)
    require_memory(rows, table.collect_schema(), _free())
    if rows == total:
        return table.collect()
    keys = [key for key in identity(features) if key in table.collect_schema()]
    hashes = key_hashes(table.select(keys).collect(), keys, salt="sample")
    chosen = pl.Series(hashes).arg_sort().head(rows).sort()
    place = table.with_row_index("__row")
    return place.filter(pl.col("__row").is_in(chosen.implode())).drop("__row").collect()


def estimated_bytes(rows: int, types: Sequence[pl.DataType]) -> int:
    """What a training on rows of columns of these types takes at its peak, the estimator's own memory left out."""
    cells = (TEXT if isinstance(each, (pl.String, pl.Categorical)) else NUMBER for each in types)
    return rows * (ROW + sum(cells))


def require_memory(rows: int, schema: pl.Schema, free: int) -> None:
    """Raises TrainingError where a training on `rows` rows takes more than most of `free` bytes."""
    needed = estimated_bytes(rows, schema.dtypes())
    if needed <= free * USABLE:
        return
    fitting = int(rows * free * USABLE / needed)
    raise TrainingError(
        f"max_rows: {rows:,} rows of {len(schema)} columns take about {_gigabytes(needed)} in training, and "
        f"{_gigabytes(free)} are free; set max_rows to {fitting:,} or fewer to learn from a sample, take fewer "
        "feature_columns, or a training_window"
    )


def _free() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
