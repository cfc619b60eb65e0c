"""Batch scoring: the predictions of many rows, by the same code that answers an endpoint's requests."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.features.frames import model_frame
from mlops_assets.serving.model import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 50_000


def score(model: ServedModel, features: pl.DataFrame, *, version: str, keep: "Sequence[str]") -> pl.DataFrame:
    """One row a row of `features`: the columns `keep`, then prediction, probability (null for regressors), version,
    request_id and time (UTC).

    Raises FeatureError or SignatureError for rows that the model does not take.
    """
    # Without rows too, so that a table's types do not hang on whether its first scoring had any.
    chunks = list(features.iter_slices(CHUNK)) or [features]
    scored = pl.concat([_score(model, chunk, keep) for chunk in chunks])
    batch = uuid.uuid4().hex
    return scored.with_columns(
        pl.lit(version).alias("version"),
        pl.concat_str(pl.lit(f"{batch}-"), pl.int_range(pl.len())).alias("request_id"),
        pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("time"),
    )


def _score(model: ServedModel, chunk: pl.DataFrame, keep: "Sequence[str]") -> pl.DataFrame:
    answers = model.predict(model_frame(chunk, list(model.inputs)))
    # A label of any kind but text is kept as a number, so that the table's type does not depend on the model.
    kind = pl.String if any(isinstance(label, str) for label in model.classes or ()) else pl.Float64
    predictions = pl.Series("prediction", [answer["prediction"] for answer in answers])
    probabilities = [answer.get("probability") for answer in answers]
    found = pl.DataFrame([predictions.cast(kind), pl.Series("probability", probabilities, pl.Float64)])
    return pl.concat([chunk.select(keep), found], how="horizontal")
