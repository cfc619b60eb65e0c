"""How MLflow loads a model of this package, so that its own servers (Databricks Model Serving among them) answer a
prediction and a probability, as the gateway does.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.model import ServedModel, load_served_model

if TYPE_CHECKING:
    import pandas


class PyFuncModel:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def predict(self, model_input: "pandas.DataFrame", params: dict[str, Any] | None = None) -> "pandas.DataFrame":
        """A row per row: `prediction` and, for classifiers, `probability`. There are no `params`."""
        import pandas as pd

        return pd.DataFrame(self._model.predict(model_input), index=model_input.index)


def _load_pyfunc(path: str) -> PyFuncModel:
    """The model in an MLflow model directory; `path` is the directory or the model's file in it."""
    place = Path(path)
    return PyFuncModel(load_served_model(place.parent if place.is_file() else place))
