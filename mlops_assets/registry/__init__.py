"""The register of models: what was trained, what passed, what serves and since when."""

from mlops_assets.registry.errors import RegistryError
from mlops_assets.registry.models import ARTIFACTS, ModelRegistry
from mlops_assets.registry.record import Training
from mlops_assets.registry.unity import UnityModels
from mlops_assets.registry.version import CHALLENGER, CHAMPION, PASSED, REFUSED, ModelVersion

__all__ = [
    "ARTIFACTS",
    "CHALLENGER",
    "CHAMPION",
    "PASSED",
    "REFUSED",
    "ModelRegistry",
    "ModelVersion",
    "RegistryError",
    "Training",
    "UnityModels",
]
