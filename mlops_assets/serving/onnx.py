"""A model's estimator as an ONNX graph: converted, measured against scikit-learn, and run by ONNX Runtime.

Only where a deployment asks for it: a graph's answers are not scikit-learn's to the bit. The pipeline's steps before
the estimator stay scikit-learn's. Of graphs in float64 and in float32, as far as ONNX Runtime has their operators, the
one that deviates less is taken; in float32 a number close to a tree's threshold may fall on its other side.
"""

import json
import warnings
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.serving.errors import DeploymentFailed
from mlops_assets.serving.gateway.files import write_atomically
from mlops_assets.serving.model import Prediction, ServedModel, finished

if TYPE_CHECKING:
    import pandas

ROWS = 2048


@dataclass(frozen=True)
class OnnxModel:
    """A converted estimator, and how far its predictions are from scikit-learn's over `rows` rows.

    `deviation` is the largest difference of a probability, or of a number in shares of it where it is above 1.
    """

    file: str
    precision: str
    deviation: float
    labels_differing: int
    rows: int


class OnnxEstimator:
    """A graph with the methods that a pipeline's last step is asked by."""

    def __init__(self, graph: bytes | str, classes: Any = None) -> None:
        """`graph` is one in memory, or the path of one; `classes` are a classifier's labels."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        (given,) = self._session.get_inputs()
        self._input, self._dtype = given.name, np.float64 if given.type == "tensor(double)" else np.float32
        if classes is not None:
            self.classes_ = classes
            self.predict_proba = self._probabilities

    @property
    def precision(self) -> str:
        """The numbers the graph computes with."""
        return self._dtype.__name__

    def fit(self, rows: Any, labels: Any = None) -> "OnnxEstimator":
        """Nothing is learned: scikit-learn's pipelines want the method."""
        return self

    def predict(self, matrix: Any) -> Any:
        """Labels or numbers, shape (n,)."""
        return self._run(matrix)[0].reshape(-1)

    def _probabilities(self, matrix: Any) -> Any:
        return self._run(matrix)[1]

    def _run(self, matrix: Any) -> Any:
        with np.errstate(over="ignore"):
            return self._session.run(None, {self._input: np.asarray(matrix, dtype=self._dtype)})


def with_onnx(model: ServedModel, file: str) -> ServedModel:
    """The model with a graph in the place of its estimator."""
    from sklearn.pipeline import Pipeline

    *before, (name, last) = model.estimator.steps
    graph = OnnxEstimator(file, getattr(last, "classes_", None))
    return replace(model, estimator=Pipeline([*before, (name, graph)]))


def converted(model: ServedModel, model_path: Path, rows: "pandas.DataFrame", folder: Path, most: float) -> OnnxModel:
    """The model's estimator as a graph in `folder`; converted and measured once, then found again. One that deviates
    too much is not kept.

    It is measured on rows like `rows` (raw features), of which there are made ROWS where they are fewer.

    Raises:
        DeploymentFailed: there is no converter for it, or it deviates by more than `most`.
    """
    found, graph = cached_conversion(model_path, folder), b""
    if found is None:
        asked = _at_least_rows(rows[list(model.inputs)])
        found, graph = min(((_measured(model, graph, asked), graph) for graph in _graphs(model)), key=_deviation)
    if not found.deviation <= most:
        raise DeploymentFailed(
            f"onnx_tolerance: as ONNX in {found.precision} the model deviates from scikit-learn's by "
            f"{found.deviation:.3g} on {found.rows} rows, and {most:g} is allowed; allow it, or serve it with "
            "serving_engine: scikit-learn"
        )
    return _cached_model(found, graph, folder / f"{_fingerprint(model_path)}.onnx") if graph else found


def cached_conversion(model_path: Path, folder: Path) -> OnnxModel | None:
    """What was measured when the model was converted; None where it never was."""
    file = folder / f"{_fingerprint(model_path)}.json"
    return OnnxModel(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _cached_model(measured: OnnxModel, graph: bytes, file: Path) -> OnnxModel:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(graph)
    made = replace(measured, file=str(file))
    write_atomically(file.with_suffix(".json"), json.dumps(asdict(made)))
    return made


def _graphs(model: ServedModel) -> list[bytes]:
    """The estimator as a graph in float64 and in float32, those of them that ONNX Runtime runs."""
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    except ImportError:
        raise DeploymentFailed("serving_engine: onnx needs the packages of the extra: mlops-assets[onnx]") from None
    if not hasattr(model.estimator, "steps"):
        raise DeploymentFailed(f"serving_engine: a {type(model.estimator).__name__} without steps is not converted")
    last = model.estimator.steps[-1][1]
    options = {"zipmap": False} if hasattr(last, "classes_") else None
    graphs, problem = [], ""
    for kind in (DoubleTensorType, FloatTensorType):
        try:
            with warnings.catch_warnings(action="ignore"):
                made = to_onnx(last, initial_types=[("rows", kind([None, last.n_features_in_]))], options=options)
            graph = made.SerializeToString()
            OnnxEstimator(graph)
        except Exception as error:  # noqa: BLE001 - converters and ONNX Runtime share no error: told where neither works
            problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        else:
            graphs.append(graph)
    if not graphs:
        raise DeploymentFailed(f"serving_engine: a {type(last).__name__} is not converted to ONNX ({problem})")
    return graphs


def _measured(model: ServedModel, graph: bytes, rows: "pandas.DataFrame") -> OnnxModel:
    from mlops_assets.serving.signature import conform

    matrix = model.estimator[:-1].transform(conform(rows, model.columns))
    made = OnnxEstimator(graph, model.classes and np.asarray(model.classes))
    ours = finished(made, matrix, model.classes)
    theirs = finished(model.estimator.steps[-1][1], matrix, model.classes)
    gaps = [_prediction_difference(one, other) for one, other in zip(ours, theirs, strict=True)]
    labels = sum(one["prediction"] != other["prediction"] for one, other in zip(ours, theirs, strict=True))
    return OnnxModel("", made.precision, max(gaps), labels if model.classes else 0, len(rows))


def _deviation(measured: tuple[OnnxModel, bytes]) -> float:
    return measured[0].deviation


def _prediction_difference(one: Prediction, other: Prediction) -> float:
    """Between two predictions: of probabilities, all of them where there are more than two; of numbers, relative."""
    if "probabilities" in other:
        chances = other["probabilities"].items()
        return max(abs(float(one["probabilities"][label]) - float(chance)) for label, chance in chances)
    if "probability" in other:
        return abs(float(one["probability"]) - float(other["probability"]))
    if isinstance(other["prediction"], (int, float)):
        return abs(float(one["prediction"]) - float(other["prediction"])) / max(1.0, abs(float(other["prediction"])))
    return float(one["prediction"] != other["prediction"])


def _at_least_rows(rows: "pandas.DataFrame") -> "pandas.DataFrame":
    """The rows, and where they are fewer than ROWS, more with each column's values drawn from them."""
    import pandas as pd

    draw = np.random.default_rng(0)
    more = max(0, ROWS - len(rows))
    drawn = {name: rows[name].iloc[draw.integers(0, len(rows), more)].reset_index(drop=True) for name in rows}
    return pd.concat([rows, pd.DataFrame(drawn)], ignore_index=True) if more else rows


def _fingerprint(model_path: Path) -> str:
    digest = sha256()
    for file in sorted(path for path in model_path.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]
