"""What a training learns from, made ready once: labelled rows, their splits, and the frame a pipeline takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.categories import check_categories
from mlops_assets.features.frames import model_frame
from mlops_assets.features.joins import require_columns
from mlops_assets.features.table import identity
from mlops_assets.features.transforms import FeatureSteps, feature_pipeline
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import treatment_of
from mlops_assets.training.evaluation import Evaluation, Outcomes, evaluate, outcomes
from mlops_assets.training.learnable import learnable, time_of, unlabelled
from mlops_assets.training.splits import Rows, Splits, folds, split

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Prepared:
    """The labelled rows, sorted by key, and how they are split; `dropped` counts rows without a label."""

    config: TrainingConfig
    features: FeatureConfig
    rows: pl.DataFrame
    splits: Splits
    method: str
    time: str
    by: str | None
    keys: Sequence[str]
    dropped: int

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """The types of every column but the target."""
        return {name: dtype for name, dtype in self.rows.schema.items() if name != self.config.target_column}

    def steps(self, made: Any) -> FeatureSteps:
        """The unfitted steps from raw columns to what the estimator `made` takes."""
        treatment = treatment_of(made, self.config.random_seed)
        transformations = self.features.feature_transformations
        return feature_pipeline(self.config.feature_columns, self.schema, transformations, treatment)

    def folds(self, rows: Rows, count: int) -> list[tuple[Rows, Rows]]:
        """`count` pairs of rows to learn from and to check on, out of `rows`, parted as the document's splits are."""
        if not count:
            return []
        seed = self.config.random_seed
        return folds(self.rows, rows, self.keys, method=self.method, count=count, seed=seed, by=self.by)


@dataclass(frozen=True, eq=False)
class Data:
    """Raw columns, labels and weights (None where rows count alike), row by row; in `stretches` no frame of all the
    rows is made.
    """

    rows: pl.DataFrame
    inputs: Sequence[str]
    truth: Any
    weights: Any
    stretches: bool = False

    @cached_property
    def table(self) -> "pandas.DataFrame":
        """The frame of raw columns of all rows."""
        return model_frame(self.rows, self.inputs)

    def table_of(self, rows: Rows) -> "pandas.DataFrame":
        """The frame of raw columns of some of the rows."""
        return model_frame(self.rows[rows], self.inputs) if self.stretches else self.table.iloc[rows]

    def measured(self, pipeline: Any, rows: Rows, config: TrainingConfig, names: Sequence[str]) -> Evaluation:
        """The metrics `names` of a fitted pipeline on some of the rows."""
        return evaluate(self.said(pipeline, rows, config), self.truth[rows], names)

    def said(self, pipeline: Any, rows: Rows, config: TrainingConfig) -> Outcomes:
        """What a fitted pipeline says of some of the rows."""
        return outcomes(pipeline, self.table_of(rows), config.model_type)


def prepare(config: TrainingConfig, features: FeatureConfig, frame: pl.DataFrame) -> Prepared:
    """Drops rows without a label, sorts by key and splits.

    Raises TrainingError or FeatureError naming the column that is missing or does not fit.
    """
    raw = [each for each in features.feature_transformations if each in frame.columns and each != config.target_column]
    for column in raw:
        check_categories(frame[column], features.feature_transformations[column])
    time = time_of(config, features)
    method = config.split_method or ("stratified" if config.stratify else "random")
    by = {"time": time, "stratified": config.target_column, "grouped": config.group_column}.get(method)
    keys = [key for key in identity(features) if key in frame.columns]
    require_columns([*keys, *([by] if by else [])], frame.columns, "the training rows")
    rows = learnable(frame.lazy(), config, features).sort(keys, nulls_last=True).collect()
    dropped = unlabelled(frame.lazy(), config)
    if not rows.height:
        raise TrainingError(f"target_column: none of {frame.height} rows has a label in '{config.target_column}'")
    config = _with_gate_metric(config, rows)
    if config.model_type == "anomaly_detection" and config.target_column in rows.columns:
        rows = rows.with_columns(_anomalies(rows[config.target_column]))
    splits = split(rows, keys, method=method, ratios=config.split_ratios, seed=config.random_seed, by=by)
    return Prepared(config, features, rows, splits, method, time, by, keys, dropped)


def _with_gate_metric(config: TrainingConfig, rows: pl.DataFrame) -> TrainingConfig:
    """The document with the metric to beat, where it names none and there are more than two classes: the area under
    the curve needs a probability of each class and a row of each class among those held out.
    """
    if config.gate.metric or config.model_type != "classification" or rows[config.target_column].n_unique() <= 2:
        return config
    return config.model_copy(update={"gate": config.gate.model_copy(update={"metric": "balanced_accuracy"})})


def _anomalies(label: pl.Series) -> pl.Series:
    """Labels of which true, or 1, is an anomaly; scikit-learn's own have -1 for one and 1 for the others."""
    label = label.fill_nan(None) if label.dtype.is_float() else label
    values = set(label.drop_nulls().to_list())
    if -1 in values and values <= {-1, 1}:
        return label == -1
    if values <= {0, 1}:
        return label
    shown = ", ".join(repr(each) for each in sorted(values, key=str)[:5])
    raise TrainingError(
        f"target_column: '{label.name}' holds {shown}; an anomaly is true, 1, or -1 where all others are 1"
    )


def data_of(rows: pl.DataFrame, inputs: Sequence[str], config: TrainingConfig) -> Data:
    """The frame of raw columns, the labels and the weights of `rows`."""
    return Data(rows, inputs, truth_of(rows, config), _weights(rows, config), config.stretch_rows is not None)


def truth_of(rows: pl.DataFrame, config: TrainingConfig) -> Any:
    """The labels as a NumPy array: numbers for regression, else truth values, whole numbers or texts."""
    import numpy as np

    if config.target_column not in rows.columns:
        return np.zeros(rows.height)
    label = rows[config.target_column]
    if config.model_type == "regression":
        if not (label.dtype.is_numeric() or label.dtype == pl.Boolean):
            raise TrainingError(f"target_column: '{label.name}' is {label.dtype}; regression needs numbers")
        numbers = label.cast(pl.Float64)
        if numbers.is_infinite().any():
            raise TrainingError(f"target_column: '{label.name}' holds infinity; make it null in its data document")
        return numbers.to_numpy()
    if config.model_type == "anomaly_detection":
        return label.cast(pl.Boolean).fill_null(value=False).to_numpy()
    if label.dtype == pl.Boolean:
        return label.to_numpy()
    if label.dtype.is_numeric():
        if not label.dtype.is_integer() and not (label.cast(pl.Float64) % 1 == 0).all():
            raise TrainingError(f"target_column: '{label.name}' holds fractions, no classes; use model_type regression")
        return label.cast(pl.Int64).to_numpy()
    return np.array(label.cast(pl.String).to_list())


def _weights(rows: pl.DataFrame, config: TrainingConfig) -> Any:
    if not config.sample_weight_column:
        return None
    require_columns([config.sample_weight_column], rows.columns, "the training rows")
    weights = rows[config.sample_weight_column]
    if not weights.dtype.is_numeric():
        raise TrainingError(f"sample_weight_column: '{weights.name}' is {weights.dtype}; weights are numbers")
    weights = weights.cast(pl.Float64)
    bad = weights.filter(~(weights.is_finite() & (weights >= 0)).fill_null(value=False))
    if len(bad) or not weights.sum():
        offending = f"{bad[0]} in {len(bad)} of {len(weights)} rows" if len(bad) else "nothing but 0"
        raise TrainingError(
            f"sample_weight_column: '{weights.name}' holds {offending}; a weight is a finite number of 0 or more, "
            "and not all are 0"
        )
    return weights.to_numpy()
