"""The MLflow model folder of a version: the model's file, what it takes and answers, and what it needs to run.

It has the layout of `mlflow.sklearn.save_model`, which writes and reads the model file twice and looks through every
installed package for a requirement that is not met: seconds of each process's first training. Handed to MLflow as a
flavor, this module writes the same files once, and names this package's loader, so that MLflow's own servers answer
probabilities too (theirs answers labels only).
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from mlops_assets.trusted_types import UntrustedModelError, skops, trusted_types

MODEL_FILE = "model.skops"
EXAMPLE_FILE, REQUEST_FILE = "input_example.json", "serving_input_example.json"
# Null fits double and string as they are; the others take it only where the column may be left out.
NULL_ONLY_IF_OPTIONAL = ("boolean", "datetime")

Columns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Described:
    """A fitted scikit-learn pipeline, its columns with their MLflow types, and a row that it takes."""

    estimator: Any
    inputs: Columns
    outputs: Columns
    example: Mapping[str, Any]


def save_model(path: str, mlflow_model: Any, described: Described, **_: object) -> None:
    """Write the folder `path`; what MLflow calls of a flavor, with its own options as well.

    Raises:
        UntrustedModelError: the model holds what a model file may not, or cannot, hold.
    """
    folder = Path(path)
    folder.mkdir(parents=True)
    _dump(described.estimator, folder / MODEL_FILE)
    mlflow_model.signature = _signature(described)
    if described.example:
        mlflow_model.saved_input_example_info = _example(folder, described.example)
    _environment(folder, described.estimator)
    _flavors(mlflow_model, trusted_types(folder / MODEL_FILE))
    mlflow_model.model_size_bytes = (folder / MODEL_FILE).stat().st_size
    mlflow_model.save(str(folder / "MLmodel"))


def _dump(estimator: Any, file: Path) -> None:
    library = skops()
    try:
        library.dump(estimator, file)
    except library.exceptions.UnsupportedTypeException as error:
        raise UntrustedModelError(
            f"algorithm: {type(estimator[-1]).__name__} cannot be kept in a model file that is safe to load ({error}); "
            "take another estimator"
        ) from error


def _signature(described: Described) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    inputs = Schema(
        [ColSpec(kind, name, required=kind not in NULL_ONLY_IF_OPTIONAL) for name, kind in described.inputs]
    )
    return ModelSignature(inputs, Schema([ColSpec(kind, name) for name, kind in described.outputs]))


def _flavors(mlflow_model: Any, trusted: Sequence[str]) -> None:
    import mlflow
    import sklearn

    mlflow.pyfunc.add_to_model(
        mlflow_model,
        loader_module="mlops_assets.serving.pyfunc",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        model_path=MODEL_FILE,
        predict_fn="predict",
    )
    mlflow_model.add_flavor(
        "sklearn",
        pickled_model=MODEL_FILE,
        sklearn_version=sklearn.__version__,
        serialization_format="skops",
        code=None,
        skops_trusted_types=list(trusted),
    )


def _example(folder: Path, row: Mapping[str, Any]) -> dict[str, str]:
    """Writes one row as MLflow reads an example, and as a request brings it; what is to be said of the files."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in row.values()]
    table = {"columns": list(row), "data": [values]}
    (folder / EXAMPLE_FILE).write_text(json.dumps(table))
    (folder / REQUEST_FILE).write_text(json.dumps({"dataframe_split": table}))
    return {
        "artifact_path": EXAMPLE_FILE,
        "type": "dataframe",
        "pandas_orient": "split",
        "serving_input_path": REQUEST_FILE,
    }


def _environment(folder: Path, estimator: Any) -> None:
    """Writes what has to be installed where the model is served, for pip, conda and MLflow's virtualenv."""
    import yaml

    needed, python = _requirements(estimator), platform.python_version()
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": needed}],
    }
    virtualenv = {"python": python, "dependencies": ["-r requirements.txt"]}
    (folder / "requirements.txt").write_text("\n".join(needed))
    for name, content in (("conda.yaml", conda), ("python_env.yaml", virtualenv)):
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))


def _requirements(estimator: Any) -> list[str]:
    packages = ["mlflow", "scikit-learn", "skops", "numpy", "pandas", "mlops-assets"]
    final = estimator[-1] if hasattr(estimator, "steps") else estimator
    while getattr(final, "estimator", None) is not None:
        final = final.estimator
    library = type(final).__module__.split(".")[0]
    if library not in ("sklearn", "mlops_assets"):
        packages.append(_distribution(library))
    return [f"{package}=={version(package)}" for package in packages]


def _distribution(library: str) -> str:
    """The installed package that a module comes from; most have its name, and the rest takes a look at all."""
    try:
        version(library)
    except PackageNotFoundError:
        return packages_distributions()[library][0]
    return library
