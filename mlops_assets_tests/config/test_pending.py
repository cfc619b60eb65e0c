import json
from pathlib import Path

import pytest

from mlops_assets.config import (
    ConfigError,
    DataConfig,
    DeploymentConfig,
    MonitoringConfig,
    PlatformConfig,
    configs_folder,
    home,
    load_platform,
    pending_fields,
    platform_name,
)
from mlops_assets.config.base import PENDING, StrictModel, later


def test_every_field_of_a_data_document_has_an_effect() -> None:
    config = DataConfig.model_validate(
        {
            "source_path": "a",
            "destination_path": "b",
            "write_mode": "scd2",
            "primary_keys": ["id"],
            "sequence_by": "at",
            "on_changed_source": "ignore",
            "source_version": 3,
            "retention": "30d",
            "z_order_by": ["id"],
            "change_data_feed": True,
            "partitions": {"type": "daily", "start": "2024-01-01", "column": "day"},
        }
    )
    assert pending_fields(config) == []


def test_everything_a_deployment_says_has_an_effect() -> None:
    fields = {"model_name": "m", "model_version": "1", "environment": "dev", "compute_scale": 2, "max_replicas": 3}
    tested = {"tests": [{"type": "schema"}, {"type": "load"}], "rollout": {"strategy": "canary"}}
    said = {**fields, **tested, "autoscaling_enabled": True}
    assert pending_fields(DeploymentConfig.model_validate({**said, "deployment_type": "batch"})) == []
    assert pending_fields(DeploymentConfig.model_validate({**said, "deployment_type": "job"})) == []


def test_one_item_of_a_list_without_effect_is_named_alone() -> None:
    class Watch(StrictModel):
        metrics: list[str] = later([], "Metrics.", values=["entropy"])

    assert pending_fields(Watch(metrics=["feature_drift", "entropy", "roc_auc"])) == ["metrics.1"]


def test_every_field_and_value_of_a_monitoring_document_has_an_effect() -> None:
    assert PENDING not in json.dumps(MonitoringConfig.model_json_schema())


def test_the_environment_is_read_when_it_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MLOPS_HOME", "MLOPS_CONFIGS", "MLOPS_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert (home(), configs_folder(), platform_name()) == (
        tmp_path / ".mlops",
        tmp_path / "configs",
        "embedded",
    )
    monkeypatch.setenv("MLOPS_HOME", "elsewhere/..//x")
    monkeypatch.setenv("MLOPS_PLATFORM", "spark")
    assert (home(), platform_name()) == (tmp_path / "x", "spark")
    assert PlatformConfig().home == tmp_path / "x"


def test_a_platform_needs_no_document(tmp_path: Path) -> None:
    platform = load_platform("embedded", tmp_path)
    assert (platform.gateway.host, platform.gateway.port) == ("127.0.0.1", 8787)


def test_a_platform_document_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    (tmp_path / "platforms").mkdir()
    file = tmp_path / "platforms" / "databricks.yaml"
    file.write_text("name: databricks\ndatabricks: {token: '${TOKEN}', catalog: lab}\n")
    platform = load_platform("databricks", tmp_path)
    assert platform.databricks.catalog == "lab"
    assert "s3cr3t" not in repr(platform)
    file.write_text("name: spark\n")
    with pytest.raises(ConfigError, match=r"databricks\.yaml:1:7: name: this file is for platform"):
        load_platform("databricks", tmp_path)


def test_an_unknown_platform_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_PLATFORM", "databrick")
    with pytest.raises(ConfigError, match=r"unknown platform 'databrick'; did you mean 'databricks'\?"):
        load_platform()
