from datetime import timedelta

import pytest
from pydantic import ValidationError

from mlops_assets.config import DataConfig

DOCUMENT = {"source_path": "a", "destination_path": "b"}


def test_windows_are_durations() -> None:
    config = DataConfig.model_validate({**DOCUMENT, "freshness": {"fail_window": "1d", "warn_window": "12h"}})
    assert config.freshness is not None
    assert (config.freshness.fail_window, config.freshness.warn_window) == (timedelta(days=1), timedelta(hours=12))


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"fail_window": "30s"}, "a freshness window is a minute or more"),
        ({"fail_window": "1h", "warn_window": "10s"}, "a freshness window is a minute or more"),
        ({"fail_window": "1h", "warn_window": "2h"}, "warn_window is not less than fail_window"),
        ({"fail_window": "1h", "warn_window": "1h"}, "warn_window is not less than fail_window"),
    ],
)
def test_windows_that_dagster_could_not_keep_are_refused(windows: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({**DOCUMENT, "freshness": windows})
