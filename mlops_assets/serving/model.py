"""A logged MLflow model, loaded from its directory without importing MLflow and called with plain rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlops_assets.serving.signature import TYPES, Column, conform
from mlops_assets.trusted_types import load_model_file

if TYPE_CHECKING:
    import pandas

    from mlops_assets.serving.plan.pipeline import Plan

Prediction = dict[str, Any]


class ModelFormatError(ValueError):
    """A directory is no MLflow model that can be served here: scikit-learn in skops, with a signature."""


@dataclass(frozen=True)
class ServedModel:
    """An estimator and the columns it was logged with; `plan` where one was proven, `how` says which way it answers.

    Requests may be predicted `together` if a row's prediction does not depend, bit for bit, on the other rows.
    """

    estimator: Any
    columns: tuple[Column, ...]
    plan: "Plan | None" = None
    how: str = "scikit-learn"
    together: bool = True

    @property
    def inputs(self) -> dict[str, str]:
        """The signature: column name to MLflow type, in the model's order."""
        return {column.name: column.type for column in self.columns}

    @cached_property
    def classes(self) -> list[Any] | None:
        """A classifier's labels as plain Python values, None for a regressor."""
        classes = getattr(self.estimator, "classes_", None)
        return None if classes is None else classes.tolist()

    def answer(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Prediction]:
        """One prediction per row of JSON values, as `predict` gives it. Raises SignatureError likewise."""
        if self.plan is not None:
            planned = self.plan.predict(columns, rows)
            if planned is not None:
                return planned
        import pandas as pd

        return self.predict(pd.DataFrame(rows, columns=list(columns), dtype=object))

    def predict(self, frame: "pandas.DataFrame") -> list[Prediction]:
        """One prediction per row of `frame`, in its order.

        Regressors give `prediction`; classifiers with probabilities also `probability`: of the positive class
        (the second label) where there are two, else of the predicted class, with all in `probabilities`.
        Raises SignatureError where the columns do not fit.
        """
        if not len(frame):
            return []
        rows = conform(frame, self.columns)
        final, transformed = _transformed(self.estimator, rows)
        return finished(final, transformed, self.classes)


def finished(final: Any, transformed: Any, classes: list[Any] | None) -> list[Prediction]:
    """The predictions of a pipeline's last step for what reaches it."""
    labels = final.predict(transformed).tolist()
    if classes is None or not hasattr(final, "predict_proba"):
        return [{"prediction": label} for label in labels]
    return classified(labels, final.predict_proba(transformed).tolist(), classes)


def load_served_model(directory: Path | str) -> ServedModel:
    """The model in an MLflow model directory. Raises ModelFormatError or UntrustedModelError."""
    folder = Path(directory)
    description = _mlmodel(folder)
    return ServedModel(load_model_file(_model_file(folder, description)), _inputs(folder, description))


def _mlmodel(folder: Path) -> Mapping[str, Any]:
    file = folder / "MLmodel"
    if not file.is_file():
        raise ModelFormatError(f"{folder} is no MLflow model directory: it holds no file named MLmodel.")
    description = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(description, dict):
        raise ModelFormatError(f"{file} is no YAML mapping.")
    return description


def _model_file(folder: Path, description: Mapping[str, Any]) -> Path:
    flavor = description.get("flavors", {}).get("sklearn")
    if flavor is None:
        raise ModelFormatError(f"{folder / 'MLmodel'}: flavors has no sklearn; log it with mlflow.sklearn.log_model.")
    if flavor.get("serialization_format") != "skops":
        raise ModelFormatError(
            f"{folder / 'MLmodel'}: serialization_format is {flavor.get('serialization_format')!r}; "
            "only 'skops' is served, because loading the others runs code."
        )
    file = (folder / str(flavor["pickled_model"])).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ModelFormatError(f"{folder / 'MLmodel'}: pickled_model leads out of the model's directory.")
    return file


def _inputs(folder: Path, description: Mapping[str, Any]) -> tuple[Column, ...]:
    where = folder / "MLmodel"
    signature = description.get("signature") or {}
    if not signature.get("inputs"):
        raise ModelFormatError(f"{where}: no signature; log the model with signature=… so that requests are checked.")
    inputs = loads(signature["inputs"])
    for entry in inputs:
        if "name" not in entry or entry.get("type") not in TYPES:
            raise ModelFormatError(
                f"{where}: input {entry.get('name', '?')!r} has type {entry.get('type')!r}; "
                f"a served model takes named columns of {', '.join(sorted(TYPES))}."
            )
    return tuple(Column(entry["name"], entry["type"], entry.get("required", True)) for entry in inputs)


def _transformed(estimator: Any, rows: "pandas.DataFrame") -> tuple[Any, Any]:
    """A pipeline's last step and what reaches it: transforming once serves both labels and probabilities."""
    steps = getattr(estimator, "steps", None)
    if not steps or len(steps) < 2 or not hasattr(estimator, "named_steps"):
        return estimator, rows
    return steps[-1][1], estimator[:-1].transform(rows)


def classified(labels: list[Any], scores: list[list[float]], classes: list[Any]) -> list[Prediction]:
    """A classifier's predictions: label, and probability of the positive or of the predicted class."""
    if len(classes) == 2:
        return [{"prediction": label, "probability": score[1]} for label, score in zip(labels, scores, strict=True)]
    position = {label: index for index, label in enumerate(classes)}
    return [
        {
            "prediction": label,
            "probability": score[position[label]],
            "probabilities": dict(zip(map(str, classes), score, strict=True)),
        }
        for label, score in zip(labels, scores, strict=True)
    ]
