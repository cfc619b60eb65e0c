"""A small project whose steps run where Dagster does, with models in Unity Catalog and endpoints of Model Serving."""

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.unity import UnityModels
from mlops_assets.resources.databricks_serving import DatabricksServingResource
from mlops_assets.resources.platforms import resources_for
from mlops_assets_tests.fields.life import Life, metadata
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace

TESTS = {"tests": [{"type": "schema"}, {"type": "golden_rows", "rows": 20}]}


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    volume = tmp_path / "Volumes" / "main" / "ml" / "files"
    volume.mkdir(parents=True)
    document = {
        "volume": str(volume),
        "remote_layers": [],
        "tables": str(tmp_path / "external"),
        "warehouse_id": "warehouse",
        "grants": {"analysts": ["SELECT"]},
        "schema_name": "ml",
        "environments": {"production": {"catalog": "prod", "schema_name": "ml"}},
    }
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "databricks.yaml").write_text(
        yaml.safe_dump({"name": "databricks", "databricks": document})
    )
    with workspace(tmp_path) as made:
        made.schemas.add("prod.ml")
        monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path))
        monkeypatch.setenv("DATABRICKS_HOST", made.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        yield made


@pytest.mark.slow
def test_a_life_on_databricks_trains_promotes_and_scores_as_one_on_a_laptop(there: Workspace, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        life = Life(tmp_path / "life", instance)
        life.home = there.root / "Volumes" / "main" / "ml" / "files"
        often = DatabricksServingResource(poll_seconds=0.1)
        life.resources = {**resources_for("databricks"), "serving": often}
        life.registry = ModelRegistry("databricks", None, "databricks-uc", UnityModels("main.ml"))
        life.arrive(0)

        done = life.run(deployment=TESTS)

        failed = [event.step_failure_data.error_display_string for event in done.all_events if event.is_step_failure]
        assert done.success, failed
        assert metadata(done, "production")["model"] == "prod.ml.churn"
        assert life.registry.require_champion("churn").version == "1"
        assert there.unity_models.models["prod.ml.churn"].aliases == {"champion": "1"}
        config = there.serving.endpoints["churn-production"].config
        assert config is not None
        assert [entity.entity_name for entity in config.served_entities or ()] == ["prod.ml.churn"]

        life.arrive(1)
        again = life.run("bronze", "silver", "gold", "monitoring", deployment=TESTS)

        assert again.success
        predictions = tmp_path / "external" / "shop" / "gold" / "predictions"
        assert set(delta.scan(str(predictions)).collect()["version"]) == {"1"}
        monitor = {"drift", "references", "profiles", "performance"}
        assert {f"main.ml.shop_monitoring_{name}" for name in monitor} <= set(there.catalog.tables)
        assert len(there.catalog.tables) == len(list((tmp_path / "external").rglob("_delta_log")))
        for table in there.catalog.tables.values():
            assert table.comment
            assert table.tags["project"] == "shop"
            assert table.grants == {"analysts": {"SELECT"}}
        assert metadata(again, "drift")["dagster/table_name"] == "main.ml.shop_monitoring_drift"
        ((number, draft),) = there.lakeview.drafts.items()
        assert metadata(again, "dashboard")["databricks"] == f"{there.url}/dashboardsv3/{number}/published"
        assert draft.published is not None
        asked = set(re.findall(r"FROM `(\w+)`\.`(\w+)`\.`(\w+)`", draft.serialized))
        assert asked
        assert {".".join(each) for each in asked} <= set(there.catalog.tables)
