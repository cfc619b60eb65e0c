"""A model's whole life in typed YAML, as a Dagster asset graph."""

import importlib
import os
from typing import Any

# scikit-learn's threads otherwise spin while they wait: on a busy machine a fit of 4 seconds took 418.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    # Dagster's registry asks the package for its components; nobody else should pay for importing Dagster.
    if name == "MlopsProject":
        return importlib.import_module("mlops_assets.component").MlopsProject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "MlopsProject"]
