import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.assets.alerts import alerts_asset
from mlops_assets.assets.gate_record import refusals_in_a_row
from mlops_assets.config import load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring import delivery
from mlops_assets.monitoring.store import replace_verdicts
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.registry import ModelVersion
from mlops_assets_tests.monitoring import servers

ROOT = Path(__file__).parents[2]
CHANNELS = """
alerting:
  aggregation_window: 0m
  notification_channels:
    - type: email
      recipients: [ops@example.com]
    - type: webhook
      url: ${HOOK}
"""


@dataclass
class Registry:
    """A registry whose champion is `version`."""

    version: str = "1"

    def require_champion(self, name: str) -> ModelVersion:
        return ModelVersion(name, self.version, "run")


@dataclass
class Monitor:
    """The alerts of the flights project on a warehouse of its own."""

    home: Path
    registry: Registry
    instance: dg.DagsterInstance

    def drift(self, window: str, effect: float, version: str = "1") -> None:
        verdict = "severe" if effect > 0.15 else "ok"
        judged = FeatureDrift("temp", "psi", effect, 0.0, 0.0, effect, effect, effect, 0.1, verdict, 9000)
        table = Warehouse(self.home).table("flights", "monitoring", "drift")
        replace_verdicts(table, version, {window: [judged]})

    def run(self) -> dg.ExecuteInProcessResult:
        project = load_project(self.home / "flights")
        (documents,) = model_documents(project)
        return dg.materialize(
            [alerts_asset(project, documents)],
            resources={"lake": Warehouse(self.home), "registry": self.registry},
            instance=self.instance,
        )


@pytest.fixture
def monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/unused")
    shutil.copytree(ROOT / "configs" / "flights", tmp_path / "flights")
    with (tmp_path / "flights" / "monitoring.yaml").open("a") as file:
        file.write(CHANNELS)
    return Monitor(tmp_path, Registry(), dg.DagsterInstance.ephemeral())


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


@pytest.mark.filterwarnings("ignore:'imghdr'")
def test_mail_and_webhook_get_each_alarm_and_its_end_once_over_many_runs(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.mail_server() as mailbox, servers.web_server() as posted:
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        monkeypatch.setenv("HOOK", f"{posted.url}/hook")
        for window, effect in (("2013-03", 0.01), ("2013-04", 0.8), ("2013-04", 0.8), ("2013-05", 0.01)):
            monitor.drift(window, effect)
            for _ in range(2):
                assert check(monitor.run()).passed
    titles = ["flight_delay: drift alarm, 2013-04", "flight_delay: recovered"]
    assert [message["subject"] for message in mailbox.messages] == titles
    assert [body["title"] for _, body in posted.requests] == titles
    assert posted.requests[0][1]["alerts"][0]["reasons"] == ["temp severe: psi 0.800, 8.0 x its limit 0.1"]


@pytest.mark.filterwarnings("ignore:'imghdr'")
def test_a_channel_that_is_down_is_a_warning_the_run_succeeds_and_it_is_told_later(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor.drift("2013-04", 0.8)
    with servers.mail_server() as mailbox, servers.web_server() as posted:
        posted.answers = [503] * 3
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        monkeypatch.setenv("HOOK", f"{posted.url}/s3cr3t")
        first = monitor.run()
        second = monitor.run()
    assert first.success
    assert (check(first).passed, check(first).severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "webhook:" in str(check(first).description)
    assert check(second).passed
    assert (len(mailbox.messages), len(posted.requests)) == (1, 1)
    shown = [str(event) for event in monitor.instance.all_logs(first.run_id)]
    assert not any("s3cr3t" in line for line in shown)
    stored = delta.scan(Warehouse(monitor.home).table("flights", "monitoring", "alerts")).collect()
    assert "s3cr3t" not in stored.write_json()


KEY = dg.AssetKey(["flights", "model", "training"])


def judged(version: str, passed: bool) -> dg.AssetsDefinition:
    """A model whose gate says so."""

    @dg.asset(key=KEY, check_specs=[dg.AssetCheckSpec("gate", asset=KEY)])
    def model() -> dg.MaterializeResult:  # type: ignore[type-arg]
        result = dg.AssetCheckResult(passed=passed, check_name="gate", metadata={"version": version})
        return dg.MaterializeResult(check_results=[result])

    return model


ASKED = {"mlops/cause": "2013-04_v1", "dagster/sensor_name": "flights_drift_sensor"}
SCHEDULED = {"dagster/schedule_name": "flights_schedule"}


@pytest.mark.parametrize(
    ("outcomes", "refusals"),
    [
        ([], 0),
        ([("2", False, ASKED), ("3", False, ASKED)], 2),
        ([("2", False, ASKED), ("2", False, ASKED)], 1),
        ([("2", False, ASKED), ("3", True, ASKED), ("4", False, ASKED)], 1),
        ([("2", False, ASKED), ("3", False, SCHEDULED), ("4", False, ASKED)], 2),
        ([("2", False, ASKED), ("3", False, ASKED), ("4", False, {})], 0),
    ],
    ids=["none", "two", "one judged twice", "since the last that passed", "a schedule's apart", "a person ends it"],
)
def test_refusals_are_counted_back_to_the_last_success_or_person(
    outcomes: Sequence[tuple[str, bool, dict[str, str]]], refusals: int
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for version, passed, tags in outcomes:
            dg.materialize([judged(version, passed)], instance=instance, tags=tags)
        assert refusals_in_a_row(instance, KEY) == refusals


def test_a_gate_that_is_only_planned_is_no_refusal() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([judged("2", passed=False)], instance=instance, tags=ASKED)
        made = dg.define_asset_job("train").resolve(
            asset_graph=dg.Definitions([judged("3", passed=False)]).resolve_asset_graph()
        )
        instance.create_run_for_job(made, tags=ASKED)
        assert refusals_in_a_row(instance, KEY) == 1
