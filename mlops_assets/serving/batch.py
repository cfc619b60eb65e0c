"""Batch scoring: the predictions of many rows, by the same code that answers an endpoint's requests."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.serving.model import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 50_000


def score(model: ServedModel, features: pl.DataFrame, *, version: str, keep: "Sequence[str]") -> pl.DataFrame:
    """One row a row of `features`: the columns `keep`, then prediction, probability (null for regressors), version,
    request_id and time (UTC)."""
    chunks = [_score(model, chunk, keep) for chunk in features.iter_slices(CHUNK)]
    empty = (
        features.select(keep)
        .clear()
        .with_columns(prediction=pl.lit(None, pl.Float64), probability=pl.lit(None, pl.Float64))
    )
    scored = pl.concat(chunks) if chunks else empty
    batch = uuid.uuid4().hex
    return scored.with_columns(
        pl.lit(version).alias("version"),
        pl.concat_str(pl.lit(f"{batch}-"), pl.int_range(pl.len())).alias("request_id"),
        pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("time"),
    )


def _score(model: ServedModel, chunk: pl.DataFrame, keep: "Sequence[str]") -> pl.DataFrame:
    answers = model.predict(chunk.select(list(model.inputs)).to_pandas())
    found = pl.DataFrame(
        {
            "prediction": [answer["prediction"] for answer in answers],
            "probability": pl.Series([answer.get("probability") for answer in answers], dtype=pl.Float64),
        }
    )
    # A label of any kind but text is kept as a number, so that the table's type does not depend on the model.
    if found.schema["prediction"] != pl.String:
        found = found.with_columns(pl.col("prediction").cast(pl.Float64))
    return pl.concat([chunk.select(keep), found], how="horizontal")
