"""Each field of the reference's pipeline document, changed, has its documented effect."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster import DagsterEvent, DagsterEventType
from dagster._daemon.monitoring import run_monitoring

from mlops_assets.config import load_project
from mlops_assets.definitions import build_definitions
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring import delivery
from mlops_assets_tests.fields.life import PIPELINE, Life, life_in
from mlops_assets_tests.monitoring import servers
from mlops_assets_tests.test_run_sensors import run, tick

field = pytest.mark.field
SILVER = dg.AssetKey(["shop", "silver", "customers"])


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with life_in(tmp_path) as made:
        yield made


def definitions(life: Life, **pipeline: Any) -> dg.Definitions:
    return life.definitions("data", pipeline=pipeline)


def other(life: Life, **pipeline: Any) -> dg.Definitions:
    """The shop beside a second project `late`."""
    folder = life.folder / "late"
    folder.mkdir(exist_ok=True)
    for document in ("pipeline", "data"):
        text = (life.folder / "shop" / f"{document}.yaml").read_text()
        (folder / f"{document}.yaml").write_text(text)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump({**PIPELINE, **pipeline}))
    return build_definitions([load_project(life.folder / "shop"), load_project(folder)], life.resources)


@field("pipeline.name", "The name by which another pipeline waits for this one.")
def test_another_pipeline_waits_by_name(life: Life) -> None:
    life.project("data", pipeline={"name": "the_shop"})
    assert "late_dependency_sensor" in sensors(other(life, name="late", dependencies=["the_shop"]))
    life.project("data", pipeline={"name": "renamed"})
    assert "late_dependency_sensor" not in sensors(other(life, name="late", dependencies=["the_shop"]))


def sensors(made: dg.Definitions) -> set[str]:
    return {sensor.name for sensor in made.sensors or []}


@field("pipeline.description", "Is what the catalogue says of the job.")
def test_the_description_is_the_jobs(life: Life) -> None:
    job = definitions(life, description="Keeps customers.").resolve_job_def("shop_pipeline")
    assert "Keeps customers." in (job.description or "")


@field("pipeline.owner", "Owns every asset; a name that is no address is a team.")
@pytest.mark.parametrize(("owner", "shown"), [("ann@example.com", "ann@example.com"), ("shops", "team:shops")])
def test_the_owner_owns_the_assets(life: Life, owner: str, shown: str) -> None:
    spec = definitions(life, owner=owner).resolve_assets_def(SILVER).specs_by_key[SILVER]
    assert list(spec.owners) == [shown]


@field("pipeline.tags", "Are on every asset and every run.")
def test_tags_are_on_assets_and_runs(life: Life) -> None:
    made = definitions(life, tags={"domain": "retail"})
    assert made.resolve_assets_def(SILVER).tags_by_key[SILVER]["domain"] == "retail"
    assert (
        life.run("bronze", kinds="data", pipeline={"tags": {"domain": "retail"}}).dagster_run.tags["domain"] == "retail"
    )


@field("pipeline.timeout_minutes", "Dagster's daemon ends a run that takes longer.")
@pytest.mark.parametrize(("minutes", "status"), [(1, "FAILURE"), (45, "STARTED")])
def test_a_run_that_takes_longer_is_ended(
    life: Life, monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    job = definitions(life, timeout_minutes=minutes).resolve_job_def("shop_pipeline")
    run_id = life.instance.create_run_for_job(job, tags=job.run_tags).run_id
    life.instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, job.name), run_id)
    monkeypatch.setattr(run_monitoring, "get_current_timestamp", lambda: time.time() + 90)
    record = life.instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))[0]
    run_monitoring.check_run_timeout(life.instance, record, logging.getLogger(), 0)
    ended = life.instance.get_run_by_id(run_id)
    assert ended is not None
    assert ended.status.value == status


@field("pipeline.retry_attempts", "A step that fails is tried so many times more.")
@pytest.mark.parametrize("attempts", [0, 1])
def test_a_failing_step_is_tried_again(life: Life, monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
    tried = []
    source = Warehouse.source

    def stumble(lake: Warehouse, documented: str) -> str:
        tried.append(documented)
        if len(tried) == 1:
            raise OSError("the disk was away")
        return source(lake, documented)

    monkeypatch.setattr(Warehouse, "source", stumble)
    assert life.run("bronze", kinds="data", pipeline={"retry_attempts": attempts}).success == bool(attempts)
    assert len(tried) == 1 + attempts


@field("pipeline.environment", "Is on every run, for people and launchers to tell them apart.")
@pytest.mark.parametrize(("environment", "shown"), [("dev", "development"), ("prod", "production")])
def test_runs_carry_their_environment(life: Life, environment: str, shown: str) -> None:
    tags = definitions(life, environment=environment).resolve_job_def("shop_pipeline").tags
    assert tags["environment"] == shown


@field("pipeline.schedule", "When the pipeline runs by itself, in which zone, and whether it does from the start.")
@pytest.mark.parametrize(("status", "running"), [("PAUSED", "STOPPED"), ("UNPAUSED", "RUNNING")])
def test_the_schedule_runs_the_pipeline(life: Life, status: str, running: str) -> None:
    clock = {"cron": "0 3 * * *", "timezone": "Europe/Zurich", "pause_status": status}
    schedule = definitions(life, schedule=clock).resolve_schedule_def("shop_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "Europe/Zurich")
    assert schedule.default_status.value == running
    assert schedule.job_name == "shop_pipeline"
    assert not definitions(life).schedules


@field("pipeline.schedule", "Without pause_status it is on from the start in production only.")
@pytest.mark.parametrize(("environment", "running"), [("dev", "STOPPED"), ("staging", "STOPPED"), ("prod", "RUNNING")])
def test_schedules_and_sensors_are_paused_outside_production(life: Life, environment: str, running: str) -> None:
    made = life.definitions(pipeline={"environment": environment, "schedule": {"cron": "0 3 * * *"}})
    clocks = [made.resolve_schedule_def(name) for name in ("shop_schedule", "shop_monitor_schedule")]
    statuses = {each.default_status.value for each in (*clocks, made.resolve_sensor_def("shop_drift_sensor"))}
    assert statuses == {running}


@field("pipeline.dependencies", "The pipeline runs after each success of those it names.")
def test_the_pipeline_runs_after_those_it_depends_on(life: Life) -> None:
    life.project("data")
    sensor = other(life, name="late", dependencies=["shop"]).resolve_sensor_def("late_dependency_sensor")
    first = tick(sensor, life.instance, None)
    upstream = run(life.instance, "shop_pipeline")
    asked = tick(sensor, life.instance, first.cursor).run_requests or []
    assert [request.run_key for request in asked] == [f"late:after:{upstream}"]
    assert sensor.job_name == "late_pipeline"


@field("pipeline.notification", "Its recipients get mail when a run starts, succeeds or fails, as it asks.")
@pytest.mark.filterwarnings("ignore:'imghdr'")
@pytest.mark.parametrize(
    ("wanted", "subjects"),
    [
        ({"on_start": True, "on_success": True, "on_failure": False}, ["started", "succeeded", "started"]),
        ({"on_start": False, "on_success": False, "on_failure": True}, ["failed"]),
    ],
)
def test_people_are_told_of_the_runs_they_asked_for(
    life: Life, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, bool], subjects: list[str]
) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    notification = {**wanted, "recipients": ["ops@example.com"]}
    sensor = definitions(life, notification=notification).resolve_sensor_def("shop_notifications")
    with servers.mail_server() as mailbox:
        monkeypatch.setitem(os.environ, "SMTP_URL", mailbox.url)
        first = tick(sensor, life.instance, None)
        run(life.instance, "shop_pipeline")
        run(life.instance, "shop_pipeline", error="no rows")
        tick(sensor, life.instance, first.cursor)
    assert [message["subject"] for message in mailbox.messages] == [f"shop_pipeline {said}" for said in subjects]
    assert {to for each in mailbox.recipients for to in each} == {"ops@example.com"}
