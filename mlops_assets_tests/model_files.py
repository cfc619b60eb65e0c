"""Estimators through a skops model file and back, by the package's own allow-list."""

import tempfile
from pathlib import Path
from typing import Any

import skops.io

from mlops_assets.trusted_types import load_model_file


def through_a_file(estimator: object) -> Any:
    """The estimator as it comes back from a model file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.skops"
        skops.io.dump(estimator, file)
        return load_model_file(file)
