"""The dashboard of Databricks: its file, what it asks of the tables, and the workspace that it is put into."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.monitoring import lakeview
from mlops_assets.monitoring.alert_table import LOG_SCHEMA
from mlops_assets.monitoring.performance import PERFORMANCE_SCHEMA
from mlops_assets.workspace_dashboards import DashboardError, PublishDashboard, dashboard_publisher
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace

TABLES = {name: f"main.ml.shop_monitoring_{name}" for name in ("drift", "performance", "quality", "alerts")}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Workspace]:
    with workspace(tmp_path) as made:
        yield made


def showing(there: Workspace, folder: str = "/Shared") -> PublishDashboard:
    from databricks.sdk import WorkspaceClient

    return dashboard_publisher(lambda: WorkspaceClient(host=there.url, token=TOKEN), folder, "warehouse")


def widgets(definition: dict[str, Any]) -> list[dict[str, Any]]:
    return [placed["widget"] for page in definition["pages"] for placed in page["layout"]]


def test_every_widget_encodes_columns_that_it_asks_its_dataset_for() -> None:
    made = lakeview.definition("shop", TABLES)
    queries = {each["name"]: "".join(each["queryLines"]) for each in made["datasets"]}
    shown = [each for each in widgets(made) if "spec" in each]
    assert {each["spec"]["widgetType"] for each in shown} == {"heatmap", "line", "bar", "table"}
    for widget in shown:
        (asked,) = [each["query"] for each in widget["queries"]]
        names = {each["name"] for each in asked["fields"]}
        encodings = widget["spec"]["encodings"]
        assert {each["fieldName"] for each in encodings.get("columns", encodings.values())} == names
        assert all(f"`{name}`" in queries[asked["datasetName"]] for name in names)


def test_of_tables_that_are_not_there_nothing_is_asked_or_shown() -> None:
    made = lakeview.definition("shop", {"drift": "main.ml.drift"})
    assert [each["name"] for each in made["datasets"]] == ["drift"]
    assert "FROM `main`.`ml`.`drift`" in "".join(made["datasets"][0]["queryLines"])
    assert [each["name"] for each in widgets(made)] == ["title", "drift_heatmap", "drift_line"]


def test_widgets_lie_in_the_grid_and_over_no_other() -> None:
    positions = [each["position"] for each in lakeview.definition("shop", TABLES)["pages"][0]["layout"]]
    assert all(each["x"] == 0 and each["width"] == 6 for each in positions)
    assert all(above["y"] + above["height"] == below["y"] for above, below in itertools.pairwise(positions))


def test_a_dashboard_is_made_once_brought_up_to_date_and_published(there: Workspace) -> None:
    publish = showing(there)
    first = publish("shop", lakeview.definition("shop", {"drift": TABLES["drift"]}))
    there.requests.clear()
    same = publish("shop", lakeview.definition("shop", {"drift": TABLES["drift"]}))
    assert not [each for each in there.requests if each.startswith("PATCH")]
    again = publish("shop", lakeview.definition("shop", TABLES))

    ((number, draft),) = there.lakeview.drafts.items()
    assert first == same == again == f"{there.url}/dashboardsv3/{number}/published"
    assert (draft.path, draft.warehouse_id) == ("/Shared/shop.lvdash.json", "warehouse")
    assert draft.published is not None
    assert json.loads(draft.published["serialized"]) == lakeview.definition("shop", TABLES)
    assert draft.published["embed_credentials"] is False


def test_a_folder_that_is_not_there_is_told_with_the_dashboards_path(there: Workspace) -> None:
    with pytest.raises(DashboardError, match=r"^/Nowhere/shop.lvdash.json: .*/Nowhere.* doesn't exist"):
        showing(there, "/Nowhere")("shop", lakeview.definition("shop", TABLES))


@pytest.mark.slow
def test_spark_answers_every_query_with_the_numbers_of_the_tables(tmp_path: Path) -> None:
    from mlops_assets_tests.spark_session import session

    spark = session()
    rows = {
        "drift": [
            {"window": "2024-01-01", "version": version, "feature": "x", "verdict": "ok", "effect": effect,
             "limit": 0.1, "p_adjusted": 0.5, "psi_debiased": effect, "rows": 10}
            for version, effect in (("9", 0.1), ("10", 0.2))
        ],
        "performance": [
            {"window": "2024-01-01", "version": "1", "rows": 10, "labelled": 5, "metric": "auc", "value": 0.8,
             "lower": 0.7, "upper": 0.9, "role": "champion"}
        ],
        "quality": [{"window": "2024-01-01", "version": "1", "check": "nulls", "verdict": "failed"}],
        "alerts": [{"kind": "alarm", "reasons": ["a", "b"]}],
    }  # fmt: skip
    schemas = {"performance": pl.Schema({**PERFORMANCE_SCHEMA, "role": pl.String}), "alerts": LOG_SCHEMA}
    for name, found in rows.items():
        file = tmp_path / f"{name}.parquet"
        pl.DataFrame(found, schema=schemas.get(name)).write_parquet(file)
        spark.read.parquet(str(file)).createOrReplaceTempView(f"view_{name}")
    made = lakeview.definition("shop", {name: f"view_{name}" for name in rows})
    answers = {each["name"]: spark.sql("".join(each["queryLines"])).collect() for each in made["datasets"]}

    assert [(row["effect"], row["severity"]) for row in answers["drift"]] == [(0.2, 2.0)]
    assert {row["series"]: row["measured"] for row in answers["performance"]} == {
        "champion auc": 0.8, "champion auc from": 0.7, "champion auc to": 0.9,
    }  # fmt: skip
    assert [(row["predictions"], row["labelled"]) for row in answers["volume"]] == [(10, 5)]
    assert [(row["check"], row["failed"]) for row in answers["quality"]] == [("nulls", 1)]
    assert answers["alerts"][0]["reasons"] == "a; b"
