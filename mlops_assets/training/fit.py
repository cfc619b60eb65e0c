"""Training: from labelled rows to a fitted scikit-learn pipeline with its splits and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.frames import model_frame
from mlops_assets.features.joins import require_columns
from mlops_assets.features.table import identity
from mlops_assets.features.transforms import feature_pipeline
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import estimator, treatment_of
from mlops_assets.training.evaluation import Evaluation, evaluate, outcomes
from mlops_assets.training.metrics import tracked
from mlops_assets.training.splits import Rows, Splits, folds, split

if TYPE_CHECKING:
    import pandas

TRAIN_SAMPLE = 50_000
SUPERVISED = ("classification", "regression")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted pipeline and how it came about.

    `rows` are the labelled rows, sorted by key; `splits` number them. `evaluations` are per split, `folds`
    per cross-validation fold. `dropped` counts rows without a label, `imputed` names the columns whose nulls
    became the training rows' median because the estimator takes none.
    """

    config: TrainingConfig
    pipeline: Any
    inputs: tuple[str, ...]
    rows: pl.DataFrame
    splits: Splits
    method: str
    time: str
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    folds: Sequence[Evaluation] = ()
    dropped: int = 0
    imputed: tuple[str, ...] = ()
    seconds: float = 0.0
    refitted: bool = False

    @property
    def metrics(self) -> dict[str, float]:
        """`test_roc_auc`, `train_roc_auc`, `fold_0_roc_auc`, …: every metric that is defined."""
        named = {**self.evaluations, **{f"fold_{number}": each for number, each in enumerate(self.folds)}}
        return {
            f"{part}_{name}": value
            for part, evaluation in named.items()
            for name, value in evaluation.values.items()
            if value is not None
        }

    @property
    def held_out(self) -> pl.DataFrame:
        """The rows the model is judged on."""
        return self.rows[self.splits.rows[self.splits.held_out]]

    @property
    def trained_through(self) -> Any:
        """The newest time among the rows the model was fitted on; None where the rows have no time."""
        fitted_on = self.rows if self.refitted else self.rows[self.splits.rows["train"]]
        return fitted_on[self.time].max() if self.time in fitted_on.columns else None


def fit(config: TrainingConfig, feature_config: FeatureConfig, frame: pl.DataFrame) -> Fitted:
    """Splits the labelled rows of `frame`, fits transforms and estimator on the train split, measures each.

    Raises TrainingError or FeatureError naming what does not fit: column, parameter, metric, too few rows.
    """
    started = perf_counter()
    names = tracked(config)
    time = config.time_column or feature_config.timestamp_column
    method = config.split_method or ("stratified" if config.stratify else "random")
    by = {"time": time, "stratified": config.target_column, "grouped": config.group_column}.get(method)
    keys = [key for key in identity(feature_config) if key in frame.columns]
    require_columns([*keys, *([by] if by else [])], frame.columns, "the training rows")
    rows, dropped = _labelled(frame, config, time)
    rows = rows.sort(keys, nulls_last=True)
    splits = split(rows, keys, method=method, ratios=config.split_ratios, seed=config.random_seed, by=by)
    made = estimator(config)
    schema = {name: dtype for name, dtype in rows.schema.items() if name != config.target_column}
    steps = feature_pipeline(
        config.feature_columns,
        schema,
        feature_config.feature_transformations,
        treatment_of(made, config.random_seed),
    )
    pipeline = _pipeline(steps.transformer, made, steps.categorical)
    data = _Data(model_frame(rows, steps.inputs), truth_of(rows, config), _weights(rows, config))
    pipeline = _fitted(pipeline, data, splits.rows["train"], config)
    parts = {
        name: data.measured(pipeline, _measured_rows(name, part), config, names)
        for name, part in splits.rows.items()
        if len(part)
    }
    inside = _folds(rows, splits.rows["train"], keys, method, by, config)
    each_fold = [data.measured(_fitted(pipeline, data, learn, config), check, config, names) for learn, check in inside]
    return Fitted(
        config=config,
        pipeline=pipeline,
        inputs=steps.inputs,
        rows=rows,
        splits=splits,
        method=method,
        time=time,
        evaluations=parts,
        folds=each_fold,
        dropped=dropped,
        imputed=steps.imputed,
        seconds=perf_counter() - started,
    )


def _folds(
    rows: pl.DataFrame, train: Rows, keys: Sequence[str], method: str, by: str | None, config: TrainingConfig
) -> list[tuple[Rows, Rows]]:
    count, seed = config.cross_validation_folds, config.random_seed
    return folds(rows, train, keys, method=method, count=count, seed=seed, by=by) if count else []


def refit(fitted: Fitted) -> Fitted:
    """The same pipeline fitted on all labelled rows; splits and metrics stay those of the model judged."""
    config = fitted.config
    data = _Data(model_frame(fitted.rows, fitted.inputs), truth_of(fitted.rows, config), _weights(fitted.rows, config))
    import numpy as np

    everything = np.arange(fitted.rows.height)
    return replace(fitted, pipeline=_fitted(fitted.pipeline, data, everything, config), refitted=True)


def _measured_rows(name: str, part: Rows) -> Rows:
    """All rows of a split; of the training split, which only tells how far the model has learned by heart, a sample."""
    return part[:: max(-(-len(part) // TRAIN_SAMPLE), 1)] if name == "train" else part


@dataclass(frozen=True, eq=False)
class _Data:
    table: "pandas.DataFrame"
    truth: Any
    weights: Any

    def measured(self, pipeline: Any, rows: Rows, config: TrainingConfig, names: Sequence[str]) -> Evaluation:
        found = outcomes(pipeline, self.table.iloc[rows], config.model_type)
        return evaluate(found, self.truth[rows], names)


def _labelled(frame: pl.DataFrame, config: TrainingConfig, time: str) -> tuple[pl.DataFrame, int]:
    """The rows with a label (all, where it learns without) in the training window; how many had none."""
    rows = frame
    if config.model_type in SUPERVISED:
        require_columns([config.target_column], frame.columns, "the training rows")
        label = pl.col(config.target_column)
        rows = frame.filter(
            label.is_not_null() & (label.is_not_nan() if frame[config.target_column].dtype.is_float() else True)
        )
    dropped = frame.height - rows.height
    if config.training_window is not None:
        require_columns([time], frame.columns, "training_window: the training rows")
        rows = rows.filter(pl.col(time) >= pl.col(time).max() - config.training_window)
    if not rows.height:
        raise TrainingError(f"target_column: none of {frame.height} rows has a label in '{config.target_column}'")
    return rows, dropped


def truth_of(rows: pl.DataFrame, config: TrainingConfig) -> Any:
    """The labels as a NumPy array: numbers for regression, else truth values, whole numbers or texts."""
    import numpy as np

    if config.target_column not in rows.columns:
        return np.zeros(rows.height)
    label = rows[config.target_column]
    if config.model_type == "regression":
        if not (label.dtype.is_numeric() or label.dtype == pl.Boolean):
            raise TrainingError(f"target_column: '{label.name}' is {label.dtype}; regression needs numbers")
        return label.cast(pl.Float64).to_numpy()
    if config.model_type == "anomaly_detection":
        return label.cast(pl.Boolean).fill_null(value=False).to_numpy()
    if label.dtype == pl.Boolean:
        return label.to_numpy()
    if label.dtype.is_numeric():
        if label.dtype.is_float() and not (label == label.round(0)).all():
            raise TrainingError(f"target_column: '{label.name}' holds fractions, no classes; use model_type regression")
        return label.cast(pl.Int64).to_numpy()
    return np.array(label.cast(pl.String).to_list())


def _weights(rows: pl.DataFrame, config: TrainingConfig) -> Any:
    if not config.sample_weight_column:
        return None
    require_columns([config.sample_weight_column], rows.columns, "the training rows")
    weights = rows[config.sample_weight_column].cast(pl.Float64)
    if weights.null_count() or not (weights >= 0).all():
        raise TrainingError(f"sample_weight_column: '{weights.name}' holds nulls or negative weights")
    return weights.to_numpy()


def _pipeline(transformer: Any, made: Any, categorical: int) -> Any:
    from sklearn.pipeline import Pipeline

    if categorical:
        made = made.set_params(categorical_features=list(range(categorical)))
    return Pipeline([("features", transformer), ("model", made)])


def _fitted(pipeline: Any, data: _Data, rows: Rows, config: TrainingConfig) -> Any:
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    from mlops_assets.training.native import plain_preprocessor

    final = pipeline[-1]
    weighted = {}
    if data.weights is not None:
        if not has_fit_parameter(final, "sample_weight"):
            raise TrainingError(f"sample_weight_column: {type(final).__name__} takes no weights")
        weighted = {"model__sample_weight": data.weights[rows]}
    truth = data.truth[rows]
    if config.model_type == "classification" and len(set(truth.tolist())) < 2:
        raise TrainingError(f"target_column: the {len(rows)} training rows hold one class, {truth[0]!r}")
    target = truth if config.model_type in SUPERVISED else None
    return plain_preprocessor(clone(pipeline).fit(data.table.iloc[rows], target, **weighted))
