"""The documents of a new project, as plain data in the order in which a person reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from mlops_assets.rules.suggest import suggest
from mlops_assets.scaffold.roles import Roles
from mlops_assets.scaffold.table import Table

FEW_ROWS = 5000
FILE, ROW, ARRIVED = "source_file", "source_row", "arrived_at"
LARGEST_SAMPLE, SMALLEST_SAMPLE = 500, 30
PATIENCE_MS = 2000  # a forest on a laptop that does other things as well
Fields = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What the documents are made of; `frame` has the names that silver gives the columns."""

    name: str
    owner: str
    source_path: str
    table: Table
    frame: pl.DataFrame
    renamed: Mapping[str, str]
    roles: Roles

    @property
    def key(self) -> list[str]:
        """The primary key: the table's own, or where and in which place a row arrived."""
        return list(self.roles.key or (FILE, ROW))

    @property
    def time(self) -> str:
        """The timestamp: the table's own, or when a row arrived."""
        return self.roles.time or ARRIVED


def data_document(plan: Plan) -> Fields:
    """Source, declared columns, new names and suggested rules."""
    table, roles = plan.table, plan.roles
    arrival = {} if roles.time else {"_ingested_at": ARRIVED}
    arrival |= {} if roles.key else {"_source_file": FILE, "_row_id": ROW}
    return _without_blanks(
        {
            "description": f"One row of {table.path.name}.",
            "source_path": plan.source_path,
            "destination_path": f"main.{plan.name}.{plan.name}",
            "format": table.format,
            "reader": table.reader,
            "columns": dict(table.columns),
            "schema_evolution": "ignore" if table.left_out else None,
            "arrival_columns": arrival,
            "primary_keys": plan.key,
            "sensitive_columns": [name for name in roles.sensitive if name in plan.frame.columns],
            "transformation_steps": _steps(plan),
            "validation_rules": _rules(plan),
        }
    )


def _steps(plan: Plan) -> list[Fields]:
    """Plain names, and a date that is the table's time as an instant."""
    steps: list[Fields] = [{"type": "rename_columns", "mapping": dict(plan.renamed)}] if plan.renamed else []
    kinds = {plan.renamed.get(name, name): kind for name, kind in plan.table.columns.items()}
    if kinds.get(plan.roles.time) == "date":
        steps.append({"type": "cast", "columns": {plan.roles.time: "datetime"}})
    return steps


def _rules(plan: Plan) -> list[Fields]:
    """What the rows keep, but for what a later file need not: labels that have not arrived, values that come again."""
    late = {f"{plan.roles.target}_{rule}" for rule in ("not_null", "null_rate")}
    rules = [rule for rule in suggest(plan.frame) if rule.name not in late]
    return [
        {"name": rule.name, "condition": rule.condition, "severity": rule.severity, "description": rule.description}
        for rule in rules
        if not rule.condition.startswith("is_unique(")
    ]


def features_document(plan: Plan) -> Fields:
    """Every column that may be learned from."""
    return {
        "source_table": f"main.{plan.name}.{plan.name}",
        "feature_table_name": f"{plan.name}_features",
        "primary_keys": plan.key,
        "timestamp_column": plan.time,
        "features": list(plan.roles.features),
    }


def training_document(plan: Plan) -> Fields:
    """A forest for few rows, boosted trees for many; both take texts and nulls as they are."""
    roles = plan.roles
    few = plan.frame.height < FEW_ROWS
    metrics, criterion = measures(roles)
    return _without_blanks(
        {
            "model_type": roles.task,
            "algorithm": "random_forest" if few else "hist_gradient_boosting",
            "target_column": roles.target,
            "feature_columns": list(roles.features),
            "hyperparameters": {"n_estimators": 200, "min_samples_leaf": 2} if few else {"early_stopping": False},
            "split_method": "time" if roles.time else "stratified" if roles.task == "classification" else "random",
            "split_ratios": [0.8, 0.2],
            "metrics": metrics,
            "promotion_criteria": criterion,
            "gate": {"metric": metrics[0]},
            "experiment_name": plan.name,
            "registry_model_name": plan.name,
        }
    )


def measures(roles: Roles) -> tuple[list[str], str]:
    """The metrics of a task, the gate's first, and a criterion that guessing does not meet."""
    if roles.task == "regression":
        return ["rmse", "mae", "r2"], "r2 > 0"
    if roles.classes == 2:
        return ["roc_auc", "average_precision", "log_loss", "brier_score"], "roc_auc > 0.5"
    return ["balanced_accuracy", "accuracy", "f1_macro", "log_loss"], f"balanced_accuracy > {1 / roles.classes:.3f}"


def deployment_document(plan: Plan, environment: str) -> Fields:
    """An endpoint."""
    endpoint = plan.name.replace("_", "-")
    return {
        "model_name": plan.name,
        "model_version": "latest",
        "environment": environment,
        "deployment_type": "serving_endpoint",
        "endpoint_name": endpoint if environment == "production" else f"{endpoint}-{environment}",
        "tests": [{"type": "schema"}, {"type": "golden_rows"}, {"type": "latency", "p95_ms": PATIENCE_MS}],
    }


def monitoring_document(plan: Plan) -> Fields:
    """Drift of what comes in and goes out, and the gate's metric as labels arrive."""
    metrics, _ = measures(plan.roles)
    sample = max(SMALLEST_SAMPLE, min(LARGEST_SAMPLE, plan.frame.height // 20))
    return {
        "metrics": ["feature_drift", "prediction_drift", metrics[0]],
        "monitoring_interval_minutes": 1440,
        "window": _window(plan, sample),
        "min_sample": sample,
        "model_performance_tracking": {"detectors": ["adwin"]},
        "retraining": {"on": ["drift", "performance"], "cooldown": "1d", "stop_after_refusals": 2},
        "dashboard_name": plan.name,
    }


def _window(plan: Plan, sample: int) -> str:
    """The shortest of day, week and month that holds a sample on average."""
    if not plan.roles.time:
        return "day"
    times = plan.frame[plan.roles.time].cast(pl.Datetime("us"))
    span = times.max() - times.min()  # type: ignore[operator]
    assert isinstance(span, timedelta)
    for name, days in (("day", 1), ("week", 7)):
        if plan.frame.height * days >= sample * max(span.days, 1):
            return name
    return "month"


def pipeline_document(plan: Plan) -> Fields:
    """The project itself, its schedule paused."""
    return {
        "name": plan.name,
        "description": f"Predicts {plan.roles.target} from {plan.table.path.name}.",
        "owner": plan.owner,
        "environment": "development",
        "schedule": {"cron": "0 6 * * *", "timezone": "UTC", "pause_status": "PAUSED"},
    }


def _without_blanks(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value not in (None, {}, [], "")}
