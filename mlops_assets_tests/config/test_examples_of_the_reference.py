from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.config import ConfigError, load_project
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.parsing.documents import parse_sources
from mlops_assets.config.parsing.kinds import MODELS
from mlops_assets.config.parsing.validation import validate
from mlops_assets.config.problems import Problem
from mlops_assets_tests.config.conftest import Write
from mlops_assets_tests.config.documents import EXAMPLES

DEFAULTS: dict[str, dict[str, Any]] = {
    "data": {
        "validation_rules": [],
        "format": "delta",
        "transformation_steps": [],
        "partitioning_columns": [],
        "z_order_by": [],
        "environment_vars": {},
    },
    "features": {
        "partition_columns": [],
        "description": "",
        "tags": {},
        "online_store_enabled": False,
        "offline_store_path": None,
        "feature_transformations": {},
    },
    "training": {
        "hyperparameters": {},
        "split_ratios": [0.7, 0.15, 0.15],
        "metrics": [],
        "run_name": "",
        "cross_validation_folds": 0,
        "stratify": False,
        "sample_weight_column": "",
    },
    "deployment": {
        "compute_type": "cpu",
        "compute_scale": 1,
        "min_replicas": 1,
        "max_replicas": 1,
        "autoscaling_enabled": False,
        "enable_access_control": True,
        "timeout_seconds": 300,
        "tags": {},
        "environment_variables": {},
    },
    "monitoring": {
        "enabled": True,
        "alert_thresholds": {},
        "monitoring_interval_minutes": 60,
        "data_drift_detection": None,
        "model_performance_tracking": None,
        "alerting": None,
        "dashboard_name": "",
    },
    "pipeline": {
        "description": "",
        "tags": {},
        "timeout_minutes": 60,
        "retry_attempts": 0,
        "schedule": None,
        "dependencies": [],
        "notification": None,
    },
}
REQUIRED = {
    "data": {"source_path", "destination_path"},
    "features": {"source_table", "feature_table_name", "primary_keys", "features", "timestamp_column"},
    "training": {
        "model_type",
        "target_column",
        "feature_columns",
        "experiment_name",
        "registry_model_name",
    },
    "deployment": {"model_name", "model_version", "environment", "deployment_type"},
    "monitoring": {"metrics"},
    "pipeline": {"name", "owner", "environment"},
}


def parsed(kind: str, environment: dict[str, str] | None = None) -> Any:
    problems: list[Problem] = []
    (source,) = parse_sources(EXAMPLES[kind], f"{kind}.yaml", environment or {}, problems)
    config = validate(MODELS[kind], source, problems)
    assert (problems, source.problems) == ([], ())
    return config


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_of_the_reference_parses_word_for_word(kind: str) -> None:
    config = parsed(kind, {"SLACK_WEBHOOK_URL": "https://hooks.example.com/x"})
    assert config.model_fields_set >= REQUIRED[kind]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_defaults_are_the_documented_ones(kind: str) -> None:
    fields = MODELS[kind].model_fields
    assert {name: fields[name].default for name in DEFAULTS[kind]} == DEFAULTS[kind]


@pytest.mark.parametrize("kind", REQUIRED)
def test_required_fields_are_the_documented_ones(kind: str) -> None:
    assert {name for name, field in MODELS[kind].model_fields.items() if field.is_required()} == REQUIRED[kind]


def test_the_data_examples_variables_have_their_defaults() -> None:
    assert parsed("data").environment_vars == {"DATA_ENV": "production", "REGION": "us-west"}
    assert parsed("data", {"REGION": "eu"}).environment_vars["REGION"] == "eu"


def test_the_monitoring_example_keeps_its_secret() -> None:
    config: MonitoringConfig = parsed("monitoring", {"SLACK_WEBHOOK_URL": "https://hooks.example.com/s3cr3t"})
    assert config.alerting is not None
    slack = config.alerting.notification_channels[1]
    assert slack.type == "slack"
    assert slack.webhook.get_secret_value() == "https://hooks.example.com/s3cr3t"
    assert "s3cr3t" not in repr(config) + config.model_dump_json()
    assert config.alerting.aggregation_window == timedelta(hours=1)


def test_the_six_examples_together_have_two_references_that_lead_nowhere(write: Write) -> None:
    folder = write({f"{kind}.yaml": text for kind, text in EXAMPLES.items()})
    with pytest.raises(ConfigError) as raised:
        load_project(folder)
    assert [problem.field for problem in raised.value.problems] == ["source_table", "feature_columns.4"]


def test_the_six_examples_are_a_project_once_these_references_are_overridden(write: Write) -> None:
    files: dict[str, str | None] = {f"{kind}.yaml": text for kind, text in EXAMPLES.items()}
    files["overrides.yaml"] = """\
        features:
          source_table: "dbfs:/mnt/data/processed/customer_data"
          features: [tenure, monthly_charges, total_charges, contract_type, payment_method, tech_support]
        """
    project = load_project(write(files))
    assert project.features[0].config.source_table == project.data[0].config.destination_path
