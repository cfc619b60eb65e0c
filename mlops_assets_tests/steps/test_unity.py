"""Which tables Unity Catalog is told of after a step, by what names."""

from pathlib import Path

import polars as pl
import pytest

from mlops_assets.config import Project, load_project
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.result import StepResult
from mlops_assets.steps.unity import with_catalog_name
from mlops_assets.unity_tables import UnityCatalog, UnityTables

FLIGHTS = Path(__file__).parents[2] / "configs" / "flights"


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(FLIGHTS)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def lake(tmp_path: Path, told: list[str]) -> Warehouse:
    tables = UnityTables("main.ml", "warehouse", {"analysts": ["SELECT"]}, {"development": "dev.ml"})
    return Warehouse(tmp_path, catalog=UnityCatalog(tables, told.append))


def write(lake: Warehouse, *tables: str) -> None:
    for table in tables:
        pl.DataFrame({"x": [1]}).write_delta(lake.table("flights", *table.split("/")))


@pytest.mark.parametrize(
    ("step", "written", "names"),
    [
        ("bronze/flights", ["bronze/flights"], ["dev.ml.flights_bronze_flights"]),
        (
            "silver/flights",
            ["silver/flights", "silver/flights_quarantine"],
            ["dev.nyc.flights", "dev.ml.flights_silver_flights_quarantine"],
        ),
        ("gold/flight_features", ["gold/flight_features"], ["dev.nyc.flight_features"]),
        ("gold/predictions", ["gold/predictions"], ["dev.ml.flights_gold_predictions"]),
        (
            "monitoring/drift",
            [f"monitoring/{name}" for name in ("drift", "references", "profiles")],
            [f"dev.ml.flights_monitoring_{name}" for name in ("drift", "references", "profiles")],
        ),
        (
            "monitoring/performance",
            [f"monitoring/performance{ending}" for ending in ("", "_errors", "_revisions")],
            [f"dev.ml.flights_monitoring_performance{ending}" for ending in ("", "_errors", "_revisions")],
        ),
        ("monitoring/alerts", ["monitoring/alerts"], ["dev.ml.flights_monitoring_alerts"]),
        ("model/flight_delay", [], []),
    ],
)
def test_a_step_registers_the_tables_that_it_writes_under_the_names_of_its_environment(
    project: Project, lake: Warehouse, told: list[str], step: str, written: list[str], names: list[str]
) -> None:
    write(lake, *written)

    done = with_catalog_name(project, step.split("/"), StepResult({"rows": 1}), lake)

    quoted = [".".join(f"`{part}`" for part in name.split(".")) for name in names]
    assert [each.split(" ")[5] for each in told if each.startswith("CREATE TABLE")] == quoted
    assert [each.split(" ")[3] for each in told if each.startswith("COMMENT ON TABLE")] == quoted
    assert sum(each.startswith("GRANT SELECT") for each in told) == len(names)
    assert done.metadata == {"rows": 1, **({"dagster/table_name": names[0]} if names else {})}


def test_a_step_that_wrote_nothing_tells_nothing(project: Project, lake: Warehouse, told: list[str]) -> None:
    write(lake, "silver/flights")

    with_catalog_name(project, ["silver", "flights"], StepResult(blocked=["no"]), lake)
    with_catalog_name(project, ["silver", "flights"], StepResult(), Warehouse(lake.home))

    assert told == []
