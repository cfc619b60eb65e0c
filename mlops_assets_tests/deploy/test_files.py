"""The files of a deployment, held against the schemas that their readers publish."""

from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner
from dagster._core.instance.config import dagster_instance_config
from dagster_cloud_cli.config.models import Build
from databricks.sdk.service.jobs import JobSettings

from mlops_assets.cli.dashboard import dashboard_file

ROOT = Path(__file__).parents[2]
OPTIONS = ["--regex-variant", "python", "--builtin-schema"]
SCHEMAS = [
    *((f".github/workflows/{name}", "github-workflows") for name in ("test", "release", "bundle", "branch-deployment")),
    ("azure-pipelines", "azure-pipelines"),
    ("deploy/compose", "compose-spec"),
    (".github/dependabot", "dependabot"),
    *((f".github/ISSUE_TEMPLATE/{name}", "github-issue-forms") for name in ("bug", "idea")),
    (".github/ISSUE_TEMPLATE/config", "github-issue-config"),
]


def content(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize(("name", "schema"), SCHEMAS)
def test_a_file_keeps_the_schema_of_its_reader(name: str, schema: str) -> None:
    (file,) = [path for ending in ("yml", "yaml") if (path := ROOT / f"{name}.{ending}").exists()]
    done = CliRunner().invoke(check_jsonschema.main, [*OPTIONS, f"vendor.{schema}", str(file)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("file", ["dagster.yaml", "deploy/dagster.yaml"])
def test_the_settings_of_an_instance_are_ones_that_dagster_knows(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://somebody@nowhere/dagster")
    (tmp_path / "dagster.yaml").write_text((ROOT / file).read_text())
    settings, _ = dagster_instance_config(str(tmp_path))
    assert settings["retention"]["sensor"]["purge_after_days"]["skipped"] == 7
    assert settings["run_monitoring"]["enabled"]


def test_the_bundles_jobs_have_only_fields_that_databricks_knows() -> None:
    for job in content("databricks.yml")["resources"]["jobs"].values():
        assert JobSettings.from_dict(job).as_dict() == job


def test_the_bundles_dashboard_is_the_one_that_the_documents_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_CONFIGS", str(ROOT / "configs"))
    shipped = content("databricks.yml")["resources"]["dashboards"]["flights"]
    assert (ROOT / shipped["file_path"]).read_text() == dashboard_file("flights")
    assert shipped["display_name"] == content("configs/flights/monitoring.yaml")["dashboard_name"]


def test_the_build_of_dagster_plus_is_one_that_its_command_line_reads() -> None:
    assert Build.model_validate(content("build.yaml")).directory == "."
    assert set(content("container_context.yaml")) == {"k8s"}


def test_every_command_of_compose_and_the_image_is_one_of_ours_or_dagsters() -> None:
    services = content("deploy/compose.yaml")["services"]
    assert services["gateway"]["command"][:3] == ["python", "-m", "mlops_assets.serving.gateway"]
    assert content("deploy/workspace.yaml")["load_from"][0]["grpc_server"]["port"] == 4000
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = [line.split()[1] for line in image.splitlines() if line.startswith("COPY")]
    assert all((ROOT / name).exists() for name in copied)
