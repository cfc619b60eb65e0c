import dagster as dg
import pytest

from mlops_assets.assets.errors import as_failure
from mlops_assets.lake.errors import LakeError
from mlops_assets.monitoring.errors import MonitoringError
from mlops_assets.samples import SampleError, land
from mlops_assets.serving.gateway.files import TokenFileError
from mlops_assets.serving.gateway_process import GatewayStartError
from mlops_assets.serving.model import ModelFormatError
from mlops_assets.training.errors import TrainingError

KINDS = [GatewayStartError, LakeError, ModelFormatError, MonitoringError, SampleError, TokenFileError, TrainingError]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_can_mend_is_a_failure_with_its_sentence(kind: type[Exception]) -> None:
    with pytest.raises(dg.Failure, match=r"^a sentence$") as raised, as_failure():
        raise kind("a sentence")
    assert raised.value.allow_retries is False


def test_a_defect_keeps_its_own_kind() -> None:
    with pytest.raises(ZeroDivisionError), as_failure():
        _ = 1 / 0


def test_a_day_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(SampleError, match="through: 'soon' is no day; write it like 2024-01-31"):
        land("churn.customers", "somewhere", "soon")
