"""Each field of the reference's monitoring document, changed, has its documented effect on days that are known.

Day 0 is learned from, day 1 is like it, and on day 2 charges are higher by more than a deviation.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.monitoring import delivery
from mlops_assets_tests.fields.life import Life, customers, life_in
from mlops_assets_tests.monitoring import servers

field = pytest.mark.field
SHIFT = 12.0


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with life_in(tmp_path_factory.mktemp("monitoring")) as made:
        assert made.run("bronze", "silver", "gold", "model", "deployment", deployment=BATCH).success
        made.arrive(1)
        made.arrive(2, SHIFT)
        rows = ("bronze", "silver", "gold/customer_features", "gold/predictions")
        assert made.run(*rows, deployment=BATCH).success
        yield made


BATCH = {"deployment_type": "batch"}


def watched(life: Life, **monitoring: Any) -> dg.ExecuteInProcessResult:
    """A first run of the monitor with some fields changed."""
    shutil.rmtree(life.home / "warehouse" / "shop" / "monitoring", ignore_errors=True)
    result = life.run("monitoring", deployment=BATCH, monitoring=monitoring)
    assert result.success
    return result


def alarms(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Of each monitor, whether its alarm was raised."""
    found = [each for each in result.get_asset_check_evaluations() if each.check_name == "alarm"]
    return {each.asset_key.path[-1]: not each.passed for each in found}


def drift(life: Life, day: int = 2) -> pl.DataFrame:
    return life.read("monitoring", "drift").filter(pl.col("window") == f"2024-01-0{day + 1}")


def drifted(life: Life) -> set[str]:
    return set(drift(life).filter(pl.col("verdict").is_in(["drift", "severe"]))["feature"])


@field("monitoring.enabled", "Whether there is a monitor at all.")
@pytest.mark.parametrize("enabled", [True, False])
def test_there_is_a_monitor_where_it_is_enabled(life: Life, enabled: bool) -> None:
    made = life.definitions(deployment=BATCH, monitoring={"enabled": enabled})
    keys = {key.path[1] for key in made.resolve_asset_graph().get_all_asset_keys()}
    assert ("monitoring" in keys) == enabled
    assert bool(made.schedules) == enabled


@field("monitoring.metrics", "These are computed of each window as its labels arrive, or watched for drift.")
def test_the_metrics_are_computed(life: Life) -> None:
    watched(life, metrics=["feature_drift", "roc_auc"])
    assert set(life.read("monitoring", "performance")["metric"]) == {"roc_auc", "estimated_roc_auc"}
    watched(life, metrics=["log_loss"])
    assert set(life.read("monitoring", "performance")["metric"]) == {"log_loss"}


@field("monitoring.alert_thresholds", "An alarm is raised below them for scores, above them for drift.")
@pytest.mark.parametrize(("least", "raised"), [(0.99, True), (0.1, False)])
def test_a_score_below_its_threshold_raises_an_alarm(life: Life, least: float, raised: bool) -> None:
    assert alarms(watched(life, alert_thresholds={"accuracy": least}))["performance"] == raised


@pytest.mark.parametrize(
    ("least", "severity"),
    [(0.15, dg.AssetCheckSeverity.ERROR), (9.0, dg.AssetCheckSeverity.WARN)],
    ids=["severe", "not severe"],
)
def test_severe_drift_is_an_error_where_the_document_says_so_and_stops_nothing(
    life: Life, least: float, severity: dg.AssetCheckSeverity
) -> None:
    result = watched(life, check_severity="error", severe_threshold=least)
    checks = {each.asset_check_key.to_user_string(): each for each in result.get_asset_check_evaluations()}
    found = checks["shop/monitoring/drift:alarm"]
    assert (found.passed, found.severity, found.blocking) == (False, severity, False)
    made = {key.path[-1] for each in result.get_asset_materialization_events() if (key := each.asset_key)}
    assert made == {"drift", "performance", "alerts", "dashboard"}


def test_a_slice_by_a_column_that_the_model_does_not_take_is_judged_by_itself(life: Life) -> None:
    slices = {"slices": ["contract"], "metrics": ["feature_drift", "accuracy", "label_drift", "data_quality"]}
    watched(life, **slices, alert_thresholds={"label_drift": 9.0})
    contracts = {f"[contract={level}]" for level in ("monthly", "yearly")}
    assert {f"{name} {each}" for each in contracts for name in ("charges", "prediction")} <= set(drift(life)["feature"])
    measured = life.read("monitoring", "performance").filter(pl.col("role") == "champion").drop_nulls("value")
    assert {f"label_drift {each}" for each in contracts} <= set(measured["metric"])
    assert {f"rows {each}" for each in contracts} <= set(life.read("monitoring", "quality")["subject"])


def test_labels_that_are_not_those_learned_from_are_told_and_raise_an_alarm_where_a_threshold_says_so(
    life: Life,
) -> None:
    metrics = ["feature_drift", "accuracy", "label_drift"]
    assert not alarms(watched(life, metrics=metrics, alert_thresholds={"label_drift": 9.0}))["performance"]
    measured = life.read("monitoring", "performance").filter(pl.col("metric") == "label_drift")
    assert measured.height == 2
    assert measured["value"].null_count() == 0
    assert alarms(watched(life, metrics=metrics, alert_thresholds={"label_drift": -1.0}))["performance"]


@field("monitoring.monitoring_interval_minutes", "How often the monitor runs by itself.")
@pytest.mark.parametrize(("minutes", "cron"), [(30, "*/30 * * * *"), (1440, "0 0 * * *")])
def test_the_monitor_runs_every_so_many_minutes(life: Life, minutes: int, cron: str) -> None:
    made = life.definitions(deployment=BATCH, monitoring={"monitoring_interval_minutes": minutes})
    schedule = made.resolve_schedule_def("shop_monitor_schedule")
    assert (schedule.cron_schedule, schedule.job_name) == (cron, "shop_monitor")


@field("monitoring.data_drift_detection", "What is compared with what, by which method, and what counts as drift.")
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, {"charges", "prediction"}),
        ({"features_to_monitor": ["tenure"]}, {"prediction"}),
        ({"method": "wasserstein", "threshold": 9.0}, set()),
        ({"reference_dataset": "REFERENCE"}, set()),
        ({"method": "mmd"}, {"charges", "prediction"}),
    ],
    ids=["as it is", "features", "method and threshold", "reference", "mmd"],
)
def test_drift_is_what_the_document_calls_drift(life: Life, fields: dict[str, Any], found: set[str]) -> None:
    if "reference_dataset" in fields:
        path = life.folder / "like_day_two"
        customers(9, SHIFT).write_delta(str(path), mode="overwrite")
        fields = {"reference_dataset": str(path)}
    watched(life, data_drift_detection=fields, metrics=["feature_drift", "prediction_drift"])
    assert drifted(life) == found
    assert set(drift(life)["method"]) == {fields.get("method", "ks_test")}


def test_a_reference_path_where_nothing_is_is_given_the_champions_training_rows(life: Life, tmp_path: Path) -> None:
    path = str(tmp_path / "baseline.delta")
    watched(life, data_drift_detection={"method": "psi", "reference_dataset": path})
    assert life.read("gold", "training_set").height == delta.rows(path)
    assert delta.version(path) == 0
    watched(life, data_drift_detection={"method": "psi", "reference_dataset": path})
    assert delta.version(path) == 0


def test_a_reference_of_other_types_is_refused_in_a_sentence(life: Life, tmp_path: Path) -> None:
    path = str(tmp_path / "texts")
    customers(9).with_columns(pl.col("charges").cast(pl.String)).write_delta(path)
    reference = {"data_drift_detection": {"reference_dataset": path}}
    result = life.run("monitoring/drift", deployment=BATCH, monitoring=reference)
    (failed,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.user_failure_data is not None
    assert "charges" in str(failed.user_failure_data.description)


def test_data_quality_is_looked_at_where_it_is_asked_for(life: Life) -> None:
    result = watched(life, metrics=["feature_drift", "data_quality"])
    (whole,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "whole"]
    assert whole.passed
    assert set(life.read("monitoring", "quality")["window"]) == {"2024-01-02", "2024-01-03"}


@field("monitoring.model_performance_tracking", "Which table keeps the metrics, and which run they are compared with.")
def test_performance_is_kept_in_its_table_and_compared_with_its_baseline(life: Life) -> None:
    run = life.registry.version("churn", "1").run_id
    watched(life, model_performance_tracking={"metrics_table": "main.shop.scores", "baseline_run_id": run})
    assert set(life.read("monitoring", "scores")["role"]) == {"champion", "baseline"}
    unknown = life.run(
        "monitoring/performance",
        deployment=BATCH,
        monitoring={"model_performance_tracking": {"metrics_table": "others", "baseline_run_id": "nowhere"}},
    )
    assert not unknown.success


def test_detectors_follow_the_errors_of_the_champion_where_the_document_names_some(life: Life) -> None:
    kept = life.home / "warehouse" / "shop" / "monitoring" / "performance_errors"
    watched(life)
    assert not kept.exists()
    watched(life, model_performance_tracking={"detectors": ["adwin", "ddm", "page_hinkley"]})
    errors, scored = life.read("monitoring", "performance_errors"), life.read("gold", "predictions")
    assert errors.height == scored.height
    assert errors["at"].is_sorted()
    assert set(errors["error"]) == {0.0, 1.0}


def test_a_regressions_loss_is_estimated_from_the_days_before_until_its_labels_arrive(tmp_path: Path) -> None:
    regression = {
        "model_type": "regression", "algorithm": "ridge", "target_column": "charges", "feature_columns": ["tenure"],
        "metrics": ["mae"],
    }  # fmt: skip
    fields: dict[str, Any] = {"deployment": BATCH, "training": regression, "monitoring": {"metrics": ["mae", "r2"]}}
    with life_in(tmp_path) as life:
        assert life.run("bronze", "silver", "gold", "model", "deployment", **fields).success
        for number in (1, 2):
            life.arrive(number)
            assert life.run("bronze", "silver", "gold/customer_features", "gold/predictions", **fields).success
            assert life.run("monitoring/performance", **fields).success
        rows = life.read("monitoring", "performance").filter(pl.col("role") == "champion")
    found = {(row["window"], row["metric"]): row for row in rows.iter_rows(named=True)}
    first, second = (found[f"2024-01-0{day}", "estimated_mae"] for day in (2, 3))
    assert (first["value"], first["reason"]) == (None, "too few labelled rows before it")
    assert second["value"] == pytest.approx(found["2024-01-03", "mae"]["value"], rel=0.3)
    assert ("2024-01-03", "estimated_r2") not in found


@field("monitoring.alerting", "Who is told of an alarm, and whether features are named.")
@pytest.mark.parametrize("details", [True, False])
def test_an_alarm_is_told_in_the_channels(life: Life, monkeypatch: pytest.MonkeyPatch, details: bool) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    with servers.web_server() as posted:
        channel = {"type": "webhook", "url": f"{posted.url}/hook"}
        watched(life, alerting={"notification_channels": [channel], "include_details": details})
    ((_, told),) = posted.requests
    assert told["title"].startswith("churn: drift alarm")
    assert ("charges" in str(told)) == details


@field("monitoring.dashboard_name", "The title of the page; the model's name where it is not given.")
@pytest.mark.parametrize(("fields", "title"), [({}, "churn"), ({"dashboard_name": "Who leaves"}, "Who leaves")])
def test_the_page_has_its_title(life: Life, fields: dict[str, str], title: str) -> None:
    watched(life, **fields)
    page = (life.home / "warehouse" / "shop" / "monitoring" / "dashboard.html").read_text()
    assert f"<title>{title}" in page
