"""The paths of a monitor's tables and dashboard, and its clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.base import last_part
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.windows import Clock


def drift_tables(project: Project, lake: Warehouse) -> DriftTables:
    """The paths of the drift monitor's three tables."""
    return DriftTables(*(lake.table(project.name, "monitoring", name) for name in ("references", "profiles", "drift")))


def performance_table(project: Project, config: MonitoringConfig, lake: Warehouse) -> str:
    """The path of the table of metrics."""
    return lake.table(project.name, "monitoring", performance_name(config))


def performance_name(config: MonitoringConfig) -> str:
    """`performance`, or the last part of the document's `metrics_table`."""
    tracking = config.model_performance_tracking
    named = tracking.metrics_table if tracking else None
    return last_part(named) if named else "performance"


def quality_table(project: Project, lake: Warehouse) -> str:
    """The path of the table of data quality findings."""
    return lake.table(project.name, "monitoring", "quality")


def watches_quality(config: MonitoringConfig) -> bool:
    """Whether the document asks for data_quality."""
    return "data_quality" in config.metrics


def page_file(project: Project, lake: Warehouse) -> Path:
    """The dashboard's file: below home, even if the tables are in an object store."""
    return lake.home / "warehouse" / project.name / "monitoring" / "dashboard.html"


def page_link(project: Project, lake: Warehouse, environment: Mapping[str, str]) -> str:
    """A link to the dashboard: its asset in Dagster's UI if MLOPS_DAGSTER_URL is set, else the file on this machine."""
    ui = environment.get("MLOPS_DAGSTER_URL", "").rstrip("/")
    return f"{ui}/assets/{project.name}/monitoring/dashboard" if ui else page_file(project, lake).as_uri()


def clock(project: Project) -> Clock:
    """The project's time zone, and now."""
    return Clock(project.timezone, datetime.now(UTC))
