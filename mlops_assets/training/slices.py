"""Metrics of parts of the held-out rows: one row for each value of a column, the most frequent first."""

from collections.abc import Iterator

import polars as pl

from mlops_assets.features.joins import require_columns
from mlops_assets.training.evaluation import evaluate
from mlops_assets.training.fit import Fitted
from mlops_assets.training.metrics import tracked
from mlops_assets.training.prepared import truth_of

LARGEST = 20
OTHERS = "(others)"


def sliced(fitted: Fitted) -> pl.DataFrame:
    """Column, value as text (null for none), rows, and each tracked metric, null where it is undefined there.

    Beyond 20 values of a column the rest is one slice. Empty where the document names no slices.
    Raises FeatureError naming a column that the rows do not have.
    """
    config, held_out = fitted.config, fitted.held_out
    found = fitted.said
    if not config.slices or found is None:
        return pl.DataFrame()
    require_columns(config.slices, held_out.columns, "slices: the training rows")
    names, truth = tracked(config), truth_of(held_out, config)
    rows = []
    for column in config.slices:
        for value, inside in _parts(held_out[column].cast(pl.String)):
            mask = inside.to_numpy()
            measured = evaluate(found.at(mask), truth[mask], names).values
            rows.append({"column": column, "value": value, "rows": int(mask.sum()), **measured})
    types = {name: pl.Float64() for name in names}
    return pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None)


def _parts(values: pl.Series) -> Iterator[tuple[str | None, pl.Series]]:
    counts = values.to_frame("value").group_by("value").len().sort(["len", "value"], descending=[True, False])
    levels = counts["value"].head(LARGEST)
    for value in levels:
        yield value, values.eq_missing(pl.Series([value], dtype=pl.String))
    if counts.height > LARGEST:
        yield OTHERS, ~values.is_in(levels.implode(), nulls_equal=True)
