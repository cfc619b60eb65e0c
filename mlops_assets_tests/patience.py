"""The product's resources of platform `databricks`, looking more often than a workspace far away deserves."""

from collections.abc import Mapping

from mlops_assets.resources.databricks_serving import DatabricksServingResource
from mlops_assets.resources.remote_steps import RemoteSteps


def impatient(resources: Mapping[str, object]) -> dict[str, object]:
    """The resources with shorter pauses."""
    often = {
        RemoteSteps: {"poll_seconds": 0.1, "report_seconds": 0.1},
        DatabricksServingResource: {"poll_seconds": 0.1},
    }
    return {
        name: type(found)(**{**found.model_dump(), **often[type(found)]})  # type: ignore[attr-defined, index]
        if type(found) in often
        else found
        for name, found in resources.items()
    }
