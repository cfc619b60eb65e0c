"""A small project with models in Unity Catalog and endpoints of Model Serving, one step of it a job of the workspace,
and the others where Dagster runs; it uses secrets, and nothing that it leaves behind or says there holds one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml

from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.unity import UnityModels
from mlops_assets.resources.platforms import resources_for
from mlops_assets_tests.fields.life import Life, metadata
from mlops_assets_tests.leaks import contents, encoded, leaks
from mlops_assets_tests.patience import impatient
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace
from mlops_assets_tests.workspace_stub.wheel import packed_wheel

SALT, KEY, HOOK = "pepper-and-salt-41", "endpoint/key=43 ", "webhook-token-42"
SECRETS = {("team", "salt"): SALT, ("team", "key"): KEY, ("team", "hook"): HOOK}
CHANGES: dict[str, Any] = {
    "data": {"transformation_steps": [{"type": "hash", "columns": ["region"], "salt": "${secret:team/salt}"}]},
    "deployment": {
        "tests": [{"type": "schema"}, {"type": "golden_rows", "rows": 20}],
        "environment_variables": {"API_KEY": "${secret:team/key}", "LEVEL": "INFO"},
    },
    "monitoring": {
        "alerting": {"notification_channels": [{"type": "webhook", "url": "http://127.0.0.1:9/${secret:team/hook}"}]}
    },
}
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lived:
    """Two runs of a life, and the workspace that they used."""

    there: Workspace
    life: Life
    first: dg.ExecuteInProcessResult
    second: dg.ExecuteInProcessResult
    folder: Path

    def read(self, table: str) -> pl.DataFrame:
        return delta.scan(str(self.folder / "external" / "shop" / table)).collect()


def document(volume: Path, folder: Path) -> dict[str, object]:
    return {
        "volume": str(volume),
        "wheel": str(packed_wheel(volume)),
        "remote_layers": ["silver"],
        "engine": "polars",
        "token": TOKEN,
        "schema_name": "ml",
        "environments": {"production": {"catalog": "prod", "schema_name": "ml"}},
        "tables": str(folder / "external"),
        "warehouse_id": "warehouse",
        "grants": {"analysts": ["SELECT"]},
    }


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder, settings = tmp_path_factory.mktemp("life"), tmp_path_factory.mktemp("settings") / "platforms"
    volume = folder / "Volumes" / "main" / "ml" / "files"
    volume.mkdir(parents=True)
    settings.mkdir()
    told = {"name": "databricks", "databricks": document(volume, folder)}
    (settings / "databricks.yaml").write_text(yaml.safe_dump(told))
    (folder / "dagster").mkdir()
    with (
        workspace(folder) as made,
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance,
    ):
        made.schemas.add("prod.ml")
        made.secrets.values.update(SECRETS)
        patch.setenv("MLOPS_CONFIGS", str(settings.parent))
        patch.setenv("MLOPS_SECRETS", "databricks")
        patch.setenv("DATABRICKS_HOST", made.url)
        patch.setenv("DATABRICKS_TOKEN", TOKEN)
        patch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
        life = Life(folder / "life", instance)
        life.home, life.resources = volume, impatient(resources_for("databricks"))
        life.registry = ModelRegistry("databricks", None, "databricks-uc", UnityModels("main.ml"))
        life.arrive(0)
        first = life.run(**CHANGES)
        life.arrive(1, shift=40)
        second = life.run("bronze", "silver", "gold", "monitoring", **CHANGES)
        yield Lived(made, life, first, second, folder)


def test_a_life_on_databricks_trains_promotes_and_scores_as_one_on_a_laptop(lived: Lived) -> None:
    failed = [
        event.step_failure_data.error_display_string
        for run in (lived.first, lived.second)
        for event in run.all_events
        if event.is_step_failure
    ]
    assert lived.first.success, failed
    assert lived.second.success, failed
    assert metadata(lived.first, "production")["model"] == "prod.ml.churn"
    assert lived.life.registry.require_champion("churn").version == "1"
    assert lived.there.unity_models.models["prod.ml.churn"].aliases == {"champion": "1"}
    config = lived.there.serving.endpoints["churn-production"].config
    assert config is not None
    assert [entity.entity_name for entity in config.served_entities or ()] == ["prod.ml.churn"]
    assert set(lived.read("gold/predictions")["version"]) == {"1"}


def test_steps_that_run_where_dagster_does_register_their_tables_as_jobs_do(lived: Lived) -> None:
    tables = lived.there.catalog.tables
    names = {f"main.ml.shop_monitoring_{name}" for name in ("drift", "references", "profiles", "performance", "alerts")}
    assert names | {"main.ml.shop_gold_predictions", "main.shop.customers"} <= set(tables)
    assert len(tables) == len(list((lived.folder / "external").rglob("_delta_log")))
    for table in tables.values():
        assert table.comment
        assert table.tags["project"] == "shop"
        assert table.grants == {"analysts": {"SELECT"}}
    assert metadata(lived.second, "drift")["dagster/table_name"] == "main.ml.shop_monitoring_drift"


def test_the_monitors_dashboard_is_published_and_asks_tables_that_are_registered(lived: Lived) -> None:
    ((number, draft),) = lived.there.lakeview.drafts.items()
    page = metadata(lived.second, "dashboard")["databricks"]
    assert page == f"{lived.there.url}/dashboardsv3/{number}/published"
    assert draft.published is not None
    asked = set(re.findall(r"FROM `(\w+)`\.`(\w+)`\.`(\w+)`", draft.serialized))
    assert asked
    assert {".".join(each) for each in asked} <= set(lived.there.catalog.tables)


def test_the_secrets_were_used_by_the_job_the_endpoint_and_the_channel(lived: Lived) -> None:
    assert [run.task.task_key for run in lived.there.jobs.runs.values()] == ["silver-customers"] * 2
    assert {len(value) for value in lived.read("silver/customers")["region"]} == {64}
    entity = (lived.there.serving.endpoints["churn-production"].config.served_entities or [])[0]
    assert entity.environment_vars == {"API_KEY": "{{secrets/team/key}}", "LEVEL": "INFO"}
    (channel,) = lived.read("monitoring/alerts")["channel"]
    assert channel.startswith("webhook:")


def test_no_table_log_event_message_parameter_tag_or_file_of_the_workspace_holds_a_secret(lived: Lived) -> None:
    secrets = [*SECRETS.values(), TOKEN]
    assert leaks(lived.folder, secrets) == []
    forms = [form for secret in secrets for form in encoded(secret)]
    said = [(path, body) for path, body in lived.there.bodies if not path.startswith("/api/2.0/secrets/get")]
    assert len(said) > 100
    assert [path for path, body in said if any(form in each for each in contents(body) for form in forms)] == []
    assert not any(form.decode() in str(run.command) for run in lived.there.jobs.runs.values() for form in forms)
    job = lived.life.definitions(**CHANGES).resolve_job_def("shop_pipeline")
    kept_with_each_run = dg.serialize_value(job.get_job_snapshot())
    assert "remote_steps" in kept_with_each_run
    assert not any(secret in kept_with_each_run for secret in secrets)
