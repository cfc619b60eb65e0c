import pytest

from mlops_assets.config.monitoring import ModelPerfConfig


@pytest.mark.parametrize("name", ["monitoring.drift", "main.nyc.alerts", "profiles"])
def test_metrics_are_not_written_over_a_table_of_the_monitors_own(name: str) -> None:
    with pytest.raises(ValueError, match="is a table of the monitor's own"):
        ModelPerfConfig(metrics_table=name)
    assert ModelPerfConfig(metrics_table="monitoring.performance").metrics_table == "monitoring.performance"
