from mlops_assets.config import MonitoringConfig
from mlops_assets.monitoring.alarm import Alarm, WindowVerdict
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.watch import Watched
from mlops_assets.steps.monitoring import drift_check


def test_a_window_that_cannot_be_judged_says_how_many_rows_it_has_and_what_a_verdict_takes() -> None:
    thin = FeatureDrift("temp", "psi", 0.0, 1.0, None, 0.0, 3.5, 3.5, 0.05, "insufficient_data", 79)
    window = WindowVerdict("2015-02-09", "v1", "insufficient_data")
    config = MonitoringConfig(metrics=["feature_drift"], min_sample=30)
    check = drift_check(Watched("1", (window,), Alarm(), {"2015-02-09": [thin]}), config)
    assert check.passed
    said = "2015-02-09: insufficient data: 79 rows; a verdict takes 30 (min_sample) and 30 a bin of each feature"
    assert check.description == said
