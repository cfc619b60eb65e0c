"""The errors that a user can fix, caused by documents, data, models, secrets or services."""

from mlops_assets.features.errors import FeatureError
from mlops_assets.lake.errors import LakeError
from mlops_assets.monitoring.errors import MonitoringError
from mlops_assets.registry import RegistryError
from mlops_assets.rules import RuleError
from mlops_assets.samples import SampleError
from mlops_assets.secrets import SecretError
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.gateway.files import TokenFileError
from mlops_assets.serving.gateway_process import GatewayStartError
from mlops_assets.serving.model import ModelFormatError
from mlops_assets.serving.signature import SignatureError
from mlops_assets.training.errors import TrainingError
from mlops_assets.trusted_types import UntrustedModelError
from mlops_assets.unity_tables import UnityError
from mlops_assets.workspace_dashboards import DashboardError

USER_ERRORS: tuple[type[Exception], ...] = (
    DashboardError, FeatureError, GatewayStartError, LakeError, ModelFormatError, MonitoringError, RegistryError,
    RuleError, SampleError, SecretError, ServingError, SignatureError, TokenFileError, TrainingError, UnityError,
    UntrustedModelError,
)  # fmt: skip
