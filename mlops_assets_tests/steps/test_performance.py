from pathlib import Path

from mlops_assets.config import MonitoringConfig, load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.monitoring_tables import page_link
from mlops_assets.steps.performance import estimated_metrics

FLIGHTS = load_project(Path(__file__).parents[2] / "configs" / "flights")


def test_what_confidence_tells_of_is_estimated_by_whatever_name_the_document_has_for_it() -> None:
    (documents,) = model_documents(FLIGHTS)
    metrics = ["feature_drift", "f1", "precision", "model_recall", "brier_score", "accuracy_score", "log_loss"]
    config = MonitoringConfig.model_validate({"metrics": metrics})
    assert estimated_metrics(documents, config) == ["f1", "precision", "recall", "brier_score", "accuracy_score"]


def test_an_alert_links_where_people_reach_dagster_or_the_page_itself(tmp_path: Path) -> None:
    lake = Warehouse(tmp_path)
    address = {"MLOPS_DAGSTER_URL": "https://dagster.example.com/"}
    assert page_link(FLIGHTS, lake, address) == "https://dagster.example.com/assets/flights/monitoring/dashboard"
    assert page_link(FLIGHTS, lake, {}).startswith("file://")
