"""The platform `databricks`: its document, its resources, and that projects load on it without asking anything."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.assemble import build_definitions
from mlops_assets.config import ConfigError, DeploymentConfig, load_project
from mlops_assets.resources.databricks_serving import DatabricksServing
from mlops_assets.resources.platforms import resources_for
from mlops_assets.resources.remote_steps import RemoteSteps
from mlops_assets.resources.warehouse import WarehouseResource
from mlops_assets.serving.databricks.endpoints import EndpointOptions
from mlops_assets.serving.errors import ServingError
from mlops_assets.unity_tables import UnityTables

FLIGHTS = Path(__file__).parents[2] / "configs" / "flights"
VOLUME = "/Volumes/main/ml/files"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path))
    (tmp_path / "platforms").mkdir()
    return tmp_path / "platforms" / "databricks.yaml"


def write(platform: Path, **fields: object) -> None:
    standard = {"volume": VOLUME, "wheel": f"{VOLUME}/x.whl", "token": "dapi-hidden", "host": "https://x.example"}
    platform.write_text(yaml.safe_dump({"name": "databricks", "databricks": {**standard, **fields}}))


def test_the_document_says_where_steps_run(platform: Path) -> None:
    write(platform, remote_layers=["silver"], timeout="10m", new_cluster={"num_workers": 2})
    resources = resources_for("databricks")
    steps = resources["remote_steps"]

    assert isinstance(steps, RemoteSteps)
    assert (steps.layers, steps.timeout_seconds) == (["silver"], 600)
    assert steps._task(["silver", "flights"]).as_dict()["new_cluster"] == {"num_workers": 2}
    definitions = build_definitions([load_project(FLIGHTS)], resources)
    assets = definitions.resolve_asset_graph().assets_defs
    remote = {asset.key.path[1] for asset in assets if "remote_steps" in asset.required_resource_keys}
    assert remote == {"silver"}


def test_a_project_is_the_same_assets_and_checks_on_either_platform(platform: Path) -> None:
    write(platform)
    project = load_project(FLIGHTS)

    there, here = (
        build_definitions([project], resources_for(name)).resolve_asset_graph() for name in ("databricks", "embedded")
    )

    assert there.get_all_asset_keys() == here.get_all_asset_keys()
    assert there.asset_check_keys == here.asset_check_keys
    for key in here.get_all_asset_keys():
        one, other = there.get(key), here.get(key)
        assert (one.parent_keys, one.group_name, one.owners) == (other.parent_keys, other.group_name, other.owners)


def test_scoring_stays_where_dagster_runs(platform: Path) -> None:
    write(platform, remote_layers=["gold"])

    definitions = build_definitions([load_project(FLIGHTS)], resources_for("databricks"))

    assets = definitions.resolve_asset_graph().assets_defs
    remote = {asset.key.path[-1] for asset in assets if "remote_steps" in asset.required_resource_keys}
    assert remote == {"flight_features", "training_set"}


def test_without_remote_layers_every_step_runs_where_dagster_does(platform: Path) -> None:
    write(platform, remote_layers=[], wheel=None)

    assert "remote_steps" not in resources_for("databricks")


@pytest.mark.parametrize(("fields", "missing"), [({"volume": None}, "volume"), ({"wheel": None}, "wheel")])
def test_what_the_document_lacks_is_told_by_its_field(platform: Path, fields: dict[str, None], missing: str) -> None:
    write(platform, **fields)

    with pytest.raises(dg.DagsterInvalidDefinitionError, match=f"databricks.{missing}"):
        resources_for("databricks")


@pytest.mark.parametrize(
    ("fields", "missing"),
    [({"tables": "s3://lake/tables"}, "warehouse_id"), ({"grants": {"analysts": ["SELECT"]}}, "tables")],
)
def test_tables_in_unity_catalog_need_a_warehouse_and_grants_need_tables(
    platform: Path, fields: dict[str, object], missing: str
) -> None:
    write(platform, **fields)

    with pytest.raises(ConfigError, match=missing):
        resources_for("databricks")


def test_a_pipelines_tables_and_models_go_to_the_schema_of_its_environment(platform: Path) -> None:
    environments = {"staging": {"catalog": "stage", "schema_name": "ml"}, "prod": {"catalog": "prod"}}
    write(platform, environments=environments, tables="s3://lake/tables", warehouse_id="w")
    resources = resources_for("databricks")
    steps, lake = resources["remote_steps"], resources["lake"]

    assert isinstance(steps, RemoteSteps)
    assert isinstance(lake, WarehouseResource)
    here = lake.create_resource(dg.build_init_resource_context()).catalog
    assert here is not None
    for told in (here.tables, UnityTables(**(steps.unity_tables or {}))):
        schemas = [told.schema_in(name) for name in ("development", "staging", "production")]
        assert schemas == ["main.mlops", "stage.ml", "prod.mlops"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"enable_access_control": False}, "enable_access_control"),
        ({"model_name": "ml.churn"}, "model_name"),
        ({"timeout_seconds": 400}, "timeout_seconds"),
        ({"requests_per_minute": 49}, "requests_per_minute: AI Gateway counts .* asks 50, of 49 allowed"),
        ({"requests_per_minute": 39, "tests": [], "rollout": {"strategy": "canary"}}, "asks 40 in one, of 39 allowed"),
        ({"requests_per_minute": 9999, "tests": [{"type": "load"}]}, "tests: AI Gateway counts"),
    ],
)
def test_model_serving_refuses_what_it_does_not_do(fields: dict[str, object], field: str) -> None:
    from databricks.sdk import WorkspaceClient

    standard = {"model_name": "a.b.churn", "model_version": "1", "environment": "prod"}
    standard["deployment_type"] = "serving_endpoint"
    serving = DatabricksServing(WorkspaceClient(host="https://x.example", token="t"), EndpointOptions(), 1.0)

    serving.require(DeploymentConfig.model_validate({**standard, "timeout_seconds": 300, "requests_per_minute": 50}))
    with pytest.raises(ServingError, match=field):
        serving.require(DeploymentConfig.model_validate({**standard, **fields}))


def test_an_endpoint_reads_its_secrets_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    from databricks.sdk import WorkspaceClient

    serving = DatabricksServing(WorkspaceClient(host="https://x.example", token="t"), EndpointOptions(), 1.0)
    told = {"KEY": "${secret:team/key}", "LEVEL": "INFO"}

    with pytest.raises(ServingError, match=r"KEY: .*keep team/key there, and set MLOPS_SECRETS=databricks"):
        serving.environment(told)
    monkeypatch.setenv("MLOPS_SECRETS", "databricks")
    assert serving.environment(told) == {"KEY": "{{secrets/team/key}}", "LEVEL": "INFO"}
    with pytest.raises(ServingError, match=r"URL: .*as a whole value"):
        serving.environment({"URL": "https://x/${secret:team/key}"})


def test_no_credential_is_a_resources_configuration(platform: Path) -> None:
    write(platform, new_cluster={"num_workers": 2, "spark_conf": {"fs.azure.account.key": "dapi-hidden"}})

    job = build_definitions([load_project(FLIGHTS)], resources_for("databricks")).resolve_job_def("flights_pipeline")

    kept_with_each_run = dg.serialize_value(job.get_job_snapshot())
    assert VOLUME in kept_with_each_run
    assert "dapi-hidden" not in kept_with_each_run
