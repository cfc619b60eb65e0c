"""Steps as jobs of the stand-in workspace: equal to local ones when all is well, red with a reason when it is not."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from mlops_assets.assemble import build_definitions
from mlops_assets.config import load_project
from mlops_assets.lake import delta
from mlops_assets.resources.remote_run import RemoteRun
from mlops_assets.resources.remote_steps import RemoteSteps
from mlops_assets.resources.warehouse import WarehouseResource
from mlops_assets_tests.assets.shop import QUIET, Shop, materialized
from mlops_assets_tests.workspace_stub import TOKEN, Fault, Workspace, workspace
from mlops_assets_tests.workspace_stub.wheel import other_wheel, packed_wheel

# On Spark each step starts a session of its own, which takes minutes: ENGINES=polars,spark.
ENGINES = os.environ.get("ENGINES", "polars").split(",")
RULES = [{"name": "positive", "condition": "amount > 0", "severity": "error", "description": "sold for something"}]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster waits ten seconds for stragglers of every report; these come from this machine."""
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    (tmp_path / "workspace" / "Volumes" / "main" / "ml" / "steps").mkdir(parents=True)
    with workspace(tmp_path / "workspace") as made:
        monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "none"))
        monkeypatch.setenv("DATABRICKS_HOST", made.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        yield made


class Remote(Shop):
    """The shop on the workspace's volume."""

    def __init__(
        self, folder: Path, there: Workspace, wheel: Path, instance: dg.DagsterInstance, **fields: Any
    ) -> None:
        self.there, self.wheel = there, wheel
        self.volume = there.root / "Volumes" / "main" / "ml" / "steps"
        super().__init__(folder, instance, **{"validation_rules": RULES, **fields})

    def resources(self, **changes: Any) -> dict[str, Any]:
        standard = {
            "volume": str(self.volume),
            "wheel": str(self.wheel),
            "layers": ["bronze", "silver", "gold"],
            "engine": "polars",
            "poll_seconds": 0.05,
            "report_seconds": 0.05,
        }
        return {
            "lake": WarehouseResource(home=str(self.volume)),
            "remote_steps": RemoteSteps(**{**standard, **changes}),
        }

    def remote(self, *layers: str, **changes: Any) -> dg.ExecuteInProcessResult:
        """The pipeline, or its assets of some layers."""
        made = build_definitions([load_project(self.folder / "shop")], self.resources(**changes))
        names = {"bronze": "orders", "silver": "orders", "gold": "order_features"}
        chosen = [dg.AssetKey(["shop", layer, names[layer]]) for layer in layers] or None
        return made.resolve_job_def("shop_pipeline").execute_in_process(
            instance=self.instance, raise_on_error=False, run_config=QUIET, asset_selection=chosen
        )

    def with_code(self, code: str, **changes: Any) -> dg.ExecuteInProcessResult:
        """The bronze step with a wheel that does something else."""
        return self.remote("bronze", wheel=str(other_wheel(self.folder, code)), **changes)

    @property
    def bronze_rows(self) -> int:
        table = str(self.volume / "warehouse" / "shop" / "bronze" / "orders")
        return delta.scan(table).collect().height if delta.exists(table) else 0


@pytest.fixture
def shop(tmp_path: Path, there: Workspace, wheel: Path) -> Iterator[Remote]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Remote(tmp_path, there, wheel, instance)


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Why the first step failed, in its own words."""
    (failed, *_) = [event for event in result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    cause = error.cause or error
    return f"{error.message} {cause.message}"


def retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY for event in result.all_events)


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        f"{each.asset_key.path[-1]} {each.check_name}": each.passed for each in result.get_asset_check_evaluations()
    }


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_steps_in_the_workspace_make_what_local_ones_make(shop: Remote, engine: str) -> None:
    away, here = shop.remote(engine=engine), shop.run()

    assert away.success, reason(away)
    assert here.success
    assert materialized(away) == materialized(here)
    assert verdicts(away) == verdicts(here)
    for layer, name in (("silver", "orders"), ("silver", "orders_quarantine"), ("gold", "order_features")):
        rows = [
            delta.scan(str(home / "warehouse" / "shop" / layer / name))
            .collect()
            .drop("_ingested_at", "_run_id", strict=False)
            for home in (shop.volume, shop.folder / "home")
        ]
        assert rows[0].select(pl.exclude("^_quarantined.*$")).equals(rows[1].select(pl.exclude("^_quarantined.*$")))
    shown = {
        event.asset_key.path[1]: event.materialization.metadata for event in away.get_asset_materialization_events()
    }
    assert shown["silver"]["rows_quarantined"].value == 1
    assert shown["silver"]["run"].value.startswith(f"{shop.there.url}/jobs/runs/")
    assert [column.name for column in shown["silver"]["dagster/column_schema"].value.columns] == [
        "id",
        "amount",
        "email",
        "at",
    ]


OPENED = """
import dagster_pipes as p, os, time
pipes = p.open_dagster_pipes(
    params_loader=p.PipesCliArgsParamsLoader(),
    context_loader=p.PipesUnityCatalogVolumesContextLoader(),
    message_writer=p.PipesUnityCatalogVolumesMessageWriter(interval=0.1),
)
"""
ENDS_IN_RED = {
    "fails": ("raise RuntimeError('disk full')", "ended as FAILED.*disk full"),
    "says nothing": ("pass", "report was cut off"),
    "stops in the middle of its report": (
        OPENED + "pipes.report_asset_materialization(metadata={'rows_read': 3})\ntime.sleep(1)\nos._exit(0)",
        "report was cut off",
    ),
    "reports no table": (
        OPENED + "pipes.report_custom_message({'outcome': 'done'})\npipes.close()",
        "reported no table",
    ),
}


@pytest.mark.parametrize(("code", "why"), ENDS_IN_RED.values(), ids=ENDS_IN_RED)
def test_a_run_that_does_not_end_well_is_red_and_names_its_page(shop: Remote, code: str, why: str) -> None:
    result = shop.with_code(code)

    assert not result.success
    assert materialized(result) == set()
    assert re.search(why, reason(result))
    assert f"{shop.there.url}/jobs/runs/101" in reason(result)


def test_a_submission_that_is_refused_is_told_with_the_workspace(shop: Remote) -> None:
    shop.there.fail("runs/submit", Fault.error(403, "PERMISSION_DENIED", "no compute for you"))

    result = shop.with_code("pass")

    assert "did not start the step: no compute for you" in reason(result)
    assert shop.there.url in reason(result)


def test_a_submission_whose_answer_was_lost_runs_once(shop: Remote) -> None:
    shop.there.fail("runs/submit", Fault.error(500, "INTERNAL_ERROR", "no"))
    shop.there.fail("runs/submit", Fault(reset=True))

    shop.with_code("pass")

    assert list(shop.there.jobs.runs) == [101]


@pytest.mark.slow
def test_a_workspace_in_trouble_is_tried_again_by_the_pipelines_own_retries_and_a_mistake_in_the_data_is_not(
    shop: Remote,
) -> None:
    shop.write("pipeline.yaml", {"name": "shop", "owner": "a@example.com", "environment": "dev", "retry_attempts": 1})
    shop.there.fail("runs/submit", Fault.error(500, "INTERNAL_ERROR", "no"), times=3)

    stumbled = shop.remote("bronze")

    assert stumbled.success, reason(stumbled)
    assert retries(stumbled) == 1
    assert (len(shop.there.jobs.runs), shop.bronze_rows) == (1, 3)

    columns = {"id": "int", "price": "float", "amount": "float", "at": "datetime"}
    shop.document(columns=columns, validation_rules=[])
    shop.write_orders("id,cost\n4,1\n", "b.csv")
    refused = shop.remote("bronze")

    assert not refused.success
    assert retries(refused) == 0
    assert len(shop.there.jobs.runs) == 2


def test_a_run_that_was_cancelled_there_is_red(shop: Remote) -> None:
    def cancel() -> bool:
        for run in shop.there.jobs.runs.values():
            run.wanted_dead = "CANCELED"
        return False

    shop.there.jobs.kill_when = cancel

    result = shop.with_code("import time; time.sleep(60)")

    assert not result.success
    assert "ended as CANCELED" in reason(result)
    assert "/jobs/runs/101" in reason(result)


def test_a_run_that_takes_too_long_is_red(shop: Remote) -> None:
    result = shop.with_code("import time; time.sleep(60)", timeout_seconds=1)

    assert "ended as TIMEDOUT" in reason(result)


def test_a_step_that_is_interrupted_cancels_its_run_and_is_not_a_success(
    shop: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(range(100))
    look = RemoteRun._looked_at

    def interrupted(self: RemoteRun) -> Any:
        if next(looks) == 2:
            raise DagsterExecutionInterruptedError
        return look(self)

    monkeypatch.setattr(RemoteRun, "_looked_at", interrupted)

    result = shop.with_code("import time; time.sleep(60)")

    assert not result.success
    assert materialized(result) == set()
    assert "DagsterExecutionInterruptedError" in reason(result)
    assert shop.there.jobs.runs[101].result == "CANCELED"


def test_a_workspace_that_stumbles_while_a_run_goes_on_changes_nothing(shop: Remote) -> None:
    for fault in (Fault.error(500, "INTERNAL_ERROR", "no"), Fault.html(502), Fault.html(200)):
        shop.there.fail("runs/get", fault)

    result = shop.with_code("raise RuntimeError('disk full')")

    assert "disk full" in reason(result)


def test_a_workspace_that_stays_away_is_told_with_the_runs_page(shop: Remote) -> None:
    shop.there.fail("runs/get", Fault.error(500, "INTERNAL_ERROR", "no"), times=1000)

    result = shop.with_code("pass")

    assert "the workspace stopped answering while the step ran" in reason(result)
    assert "/jobs/runs/101" in reason(result)


def test_a_mistake_in_a_document_is_told_as_it_is_here_and_not_tried_again(shop: Remote) -> None:
    columns = {"id": "int", "price": "float", "amount": "float", "at": "datetime"}
    shop.document(columns=columns, validation_rules=[])

    away, here = shop.remote("bronze"), shop.run()

    assert not away.success
    assert not here.success
    told_here = reason(here).splitlines()[0]
    assert told_here.split(": ", 1)[-1][:60] in reason(away)


@pytest.mark.slow
def test_rows_that_stop_everything_stop_it_from_there_too(shop: Remote) -> None:
    shop.document(validation_rules=[{**RULES[0], "severity": "critical"}])

    result = shop.remote()

    assert not result.success
    assert materialized(result) == {"shop/bronze/orders"}
    assert verdicts(result)["orders positive"] is False
    assert "nothing was written" in reason(result)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_writes_is_red_and_the_next_leaves_every_row_once(shop: Remote) -> None:
    table = shop.volume / "warehouse" / "shop" / "bronze" / "orders"
    shop.there.jobs.kill_when = lambda: table.is_dir() and any(table.iterdir())

    killed = shop.remote("bronze")

    assert not killed.success
    assert "ended as FAILED" in reason(killed)
    assert shop.bronze_rows in (0, 3)
    assert shop.remote("bronze").success
    assert shop.bronze_rows == 3
