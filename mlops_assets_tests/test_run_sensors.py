import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from mlops_assets.config import Project, load_project
from mlops_assets.monitoring import delivery
from mlops_assets.sensors import project_sensors
from mlops_assets_tests.monitoring import servers
from mlops_assets_tests.monitoring.servers import Mailbox

ROOT = Path(__file__).parents[1]
NOTIFICATION = "notification: {on_start: true, on_success: true, recipients: [ops@example.com, ml@example.com]}"

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")


def project(folder: Path, name: str, more: str = "") -> Project:
    shutil.copytree(ROOT / "configs" / "flights", folder / name)
    document = folder / name / "pipeline.yaml"
    document.write_text(document.read_text().replace("name: flights", f"name: {name}") + more)
    return load_project(folder / name)


def sensor_of(name: str, of: Project, *others: Project) -> dg.SensorDefinition:
    jobs = [f"{of.name}_{job}" for job in ("pipeline", "monitor", "retrain")]
    return next(sensor for sensor in project_sensors(of, jobs, [of, *others]) if sensor.name == name)


def run(instance: dg.DagsterInstance, job_name: str, *, error: str = "") -> str:
    @dg.op
    def step() -> None:
        if error:
            raise dg.Failure(error)

    @dg.job(name=job_name)
    def job() -> None:
        step()

    return job.execute_in_process(instance=instance, raise_on_error=False).run_id


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None) -> SensorExecutionData:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as made:
        yield made


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    with servers.mail_server() as box:
        monkeypatch.setenv("SMTP_URL", box.url)
        yield box


def test_a_pipeline_runs_once_for_each_later_success_of_the_one_it_depends_on(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    upstream = project(tmp_path, "flights")
    sensor = sensor_of("fares_dependency_sensor", project(tmp_path, "fares", "dependencies: [flights]\n"), upstream)
    assert sensor.job_name == "fares_pipeline"
    run(instance, "flights_pipeline")
    first = tick(sensor, instance, None)
    assert first.run_requests == []
    run(instance, "flights_pipeline", error="no data")
    run(instance, "flights_monitor")
    wanted = [run(instance, "flights_pipeline") for _ in range(2)]
    second = tick(sensor, instance, first.cursor)
    assert [request.run_key for request in second.run_requests or []] == [f"fares:after:{each}" for each in wanted]
    third = tick(sensor, instance, second.cursor)
    assert third.run_requests == []
    assert "No new success of flights_pipeline" in str(third.skip_message)


def test_a_dependency_that_is_not_loaded_makes_no_sensor(tmp_path: Path) -> None:
    alone = project(tmp_path, "fares", "dependencies: [flights]\n")
    assert "fares_dependency_sensor" not in [each.name for each in project_sensors(alone, ["fares_pipeline"], [alone])]


def test_start_success_and_failure_of_the_projects_runs_are_mailed_once(
    tmp_path: Path, instance: dg.DagsterInstance, mailbox: Mailbox
) -> None:
    sensor = sensor_of("flights_notifications", project(tmp_path, "flights", NOTIFICATION))
    run(instance, "flights_pipeline")
    cursor = tick(sensor, instance, None).cursor
    run(instance, "flights_monitor")
    run(instance, "churn_pipeline")
    failed = run(instance, "flights_retrain", error="the training table is empty")
    cursor = tick(sensor, instance, cursor).cursor
    tick(sensor, instance, cursor)
    subjects = [message["subject"] for message in mailbox.messages]
    told = ["flights_monitor started", "flights_monitor succeeded", "flights_retrain started", "flights_retrain failed"]
    assert subjects == [subject for subject in told for _ in range(2)]
    body = mailbox.messages[-1].get_body(("plain",))
    assert body is not None
    assert failed in body.get_content()
    assert "step: the training table is empty" in body.get_content()


def test_by_default_only_failures_are_mailed(tmp_path: Path, instance: dg.DagsterInstance, mailbox: Mailbox) -> None:
    document = "notification: {recipients: [ops@example.com]}"
    sensor = sensor_of("flights_notifications", project(tmp_path, "flights", document))
    cursor = tick(sensor, instance, None).cursor
    run(instance, "flights_monitor")
    run(instance, "flights_monitor", error="no space")
    tick(sensor, instance, cursor)
    assert [message["subject"] for message in mailbox.messages] == ["flights_monitor failed"]


def test_a_mail_server_that_is_down_is_tried_at_later_ticks_and_says_so(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    document = "notification: {recipients: [ops@example.com]}"
    sensor = sensor_of("flights_notifications", project(tmp_path, "flights", document))
    cursor = tick(sensor, instance, None).cursor
    run(instance, "flights_monitor", error="no space")
    monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:9")
    down = tick(sensor, instance, cursor)
    assert "could not be sent" in str(down.skip_message)
    with servers.mail_server() as mailbox:
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        up = tick(sensor, instance, down.cursor)
        tick(sensor, instance, up.cursor)
    assert [message["subject"] for message in mailbox.messages] == ["flights_monitor failed"]


def test_a_mail_that_no_server_takes_is_given_up_and_those_behind_it_go_on(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMTP_URL", raising=False)
    monkeypatch.delenv("MLOPS_SMTP_HOST", raising=False)
    document = "notification: {recipients: [ops@example.com]}"
    sensor = sensor_of("flights_notifications", project(tmp_path, "flights", document))
    cursor = tick(sensor, instance, None).cursor
    run(instance, "flights_monitor", error="no space")
    said = []
    for _ in range(6):
        data = tick(sensor, instance, cursor)
        cursor, _ = data.cursor, said.append(str(data.skip_message))
    assert ["Giving up" in sentence for sentence in said] == [False] * 4 + [True, False]
    assert "set SMTP_URL" in said[0]
