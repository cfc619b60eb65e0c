"""A stand-in for a Databricks workspace: a local HTTP server that databricks-sdk and MLflow's own clients drive.

Bodies are parsed by the SDK's dataclasses, endpoints go through Databricks' states, models and jobs really run. It
knows nothing of the package under test. What it does not know is answered with 501.
"""

from mlops_assets_tests.workspace_stub.faults import Fault
from mlops_assets_tests.workspace_stub.http import Refused
from mlops_assets_tests.workspace_stub.workspace import TOKEN, Workspace, workspace

__all__ = ["TOKEN", "Fault", "Refused", "Workspace", "workspace"]
