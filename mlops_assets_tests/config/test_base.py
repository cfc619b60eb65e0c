from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from mlops_assets.config import DataConfig, DeploymentConfig, PipelineConfig
from mlops_assets.config.base import format_duration, last_part, parse_duration
from mlops_assets.config.validation_rules import rule_name


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1h 30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(minutes=90)),
        ("90s", timedelta(seconds=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("0m", timedelta()),
        ("PT30M", timedelta(minutes=30)),
        ("P1DT12H", timedelta(hours=36)),
        ("P2W", timedelta(weeks=2)),
    ],
)
def test_a_duration_is_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "h", "30", "-1h", "1 hour", "P", "PT", "P1M", "P1Y", "1h30", "m30", "１h", 30])
def test_what_is_no_duration_is_refused_with_the_forms(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="is no duration"):
        parse_duration(text)


@settings(derandomize=True, max_examples=200)
@given(st.integers(min_value=0, max_value=10**12))
def test_a_formatted_duration_parses_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("reference", "table"),
    [
        ("dbfs:/mnt/data/processed/customer_data", "customer_data"),
        ("s3://bucket/silver/flights.delta", "flights"),
        ("lake/flights.parquet/", "flights"),
        ("out/flights.csv.gz", "flights"),
        ("main.air.flights", "flights"),
        ("/mnt/v1.2/flights", "flights"),
        ("flights", "flights"),
    ],
)
def test_the_last_part_of_a_path_or_name_is_the_table(reference: str, table: str) -> None:
    assert last_part(reference) == table


def test_a_table_name_with_a_dash_is_refused_with_a_valid_one() -> None:
    with pytest.raises(ValidationError, match="'customer-data' is no table name") as raised:
        DataConfig(source_path="x", destination_path="lake/customer-data")
    assert raised.value.errors()[0]["ctx"]["hint"] == "'customer_data' would be right"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("dev", "development"), ("PROD", "production"), ("production", "production"), ("staging", "staging")],
)
def test_an_environment_has_one_name(written: str, meant: str) -> None:
    assert PipelineConfig(name="p", owner="a@b.ch", environment=written).environment == meant


@pytest.mark.parametrize(
    ("written", "owner"),
    [
        ("ann@example.com", "ann@example.com"),
        ("data science", "team:data_science"),
        ("data_science", "team:data_science"),
        ("team:ml", "team:ml"),
        ("a@b.c", "team:a_b.c"),
        ("ann@shop.example", "ann@shop.example"),
        ("team:", None),
    ],
)
def test_an_owner_is_an_address_or_a_team(written: str, owner: str | None) -> None:
    if owner is None:
        with pytest.raises(ValidationError, match="names no owner"):
            PipelineConfig(name="p", owner=written, environment="dev")
    else:
        assert PipelineConfig(name="p", owner=written, environment="dev").owner == owner


def test_a_documents_config_cannot_be_changed() -> None:
    config = DataConfig(source_path="a", destination_path="b")
    with pytest.raises(ValidationError, match="frozen"):
        config.source_path = "c"  # type: ignore[misc]


def test_partition_columns_go_by_both_names() -> None:
    config = DataConfig.model_validate({"source_path": "a", "destination_path": "b", "partition_columns": ["day"]})
    assert config.partitioning_columns == ["day"]


def test_partition_columns_by_both_names_at_once_are_refused() -> None:
    fields = {
        "source_path": "a",
        "destination_path": "b",
        "partition_columns": [],
        "partitioning_columns": [],
    }
    with pytest.raises(ValidationError, match="partition_columns"):
        DataConfig.model_validate(fields)


def test_a_bare_rule_is_named_from_its_text() -> None:
    rules = ["monthly_charges > 0", "monthly_charges > 0", {"name": "x", "condition": "a == 1"}]
    config = DataConfig.model_validate({"source_path": "a", "destination_path": "b", "validation_rules": rules})
    assert [rule.name for rule in config.validation_rules] == [
        "monthly_charges_gt_0",
        "monthly_charges_gt_0_2",
        "x",
    ]
    assert {rule.severity for rule in config.validation_rules} == {"error"}
    assert rule_name("email.str.contains('@')") == "email_str_contains"


def test_an_endpoint_is_named_from_model_and_environment() -> None:
    config = DeploymentConfig(
        model_name="main.air.late", model_version="3", environment="prod", deployment_type="serving_endpoint"
    )
    assert config.endpoint_name == "late-production"
    assert [test.type for test in config.tests] == ["schema", "golden_rows", "latency"]


def test_a_blank_field_has_its_default() -> None:
    config = DataConfig.model_validate({"source_path": "a", "destination_path": "b", "validation_rules": None})
    assert config.validation_rules == []
