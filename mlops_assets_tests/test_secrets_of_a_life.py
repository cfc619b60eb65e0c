"""A whole life, training and deployment included, that uses secrets: nothing that it leaves behind holds one."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mlops_assets.config import load_project
from mlops_assets.registry import ModelRegistry
from mlops_assets_tests.fields.life import Life, life_in
from mlops_assets_tests.leaks import leaks

SALT, KEY, HOOK = "pepper-and-salt-41", "endpoint/key=43 ", "webhook-token-42"
SECRETS = [SALT, KEY, HOOK]
CHANGES: dict[str, Any] = {
    "data": {"transformation_steps": [{"type": "hash", "columns": ["region"], "salt": "${secret:team/salt}"}]},
    "deployment": {"environment_variables": {"API_KEY": "${secret:team/key}"}},
    "monitoring": {
        "alerting": {"notification_channels": [{"type": "webhook", "url": "http://127.0.0.1:9/${secret:team/hook}"}]}
    },
}
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lived:
    """What a life has left below `folder`."""

    folder: Path
    life: Life
    instance_folder: Path

    @property
    def allowed(self) -> list[Path]:
        """What the gateway starts its workers with again after a restart, readable by its owner only."""
        return [self.life.home / "gateway" / "endpoints"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("life")
    with pytest.MonkeyPatch.context() as patch, life_in(folder / "project") as life:
        for name, value in {"SALT": SALT, "KEY": KEY, "HOOK": HOOK}.items():
            patch.setenv(f"MLOPS_SECRET_TEAM_{name}", value)
        life.project(**CHANGES)
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        patch.setenv("DAGSTER_HOME", str(home))
        patch.setenv("MLOPS_CONFIGS", str(life.folder))
        # As people run it: a process of its own, whose output is kept as compute logs.
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions"]
        done = subprocess.run([*command, "-j", "shop_pipeline"], capture_output=True, text=True, check=False)
        (folder / "printed").mkdir()
        (folder / "printed" / "output.txt").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr[-3000:]
        yield Lived(folder, life, home)


def test_a_life_used_its_secrets(lived: Lived) -> None:
    (spec,) = (lived.life.home / "gateway" / "endpoints").glob("*.json")
    assert json.dumps(KEY)[1:-1] in spec.read_text()
    assert stat.S_IMODE(spec.stat().st_mode) == 0o600
    assert len(set(lived.life.read("silver", "customers")["region"])) == 2
    assert lived.life.registry.require_champion("churn").version == "1"


def test_no_table_event_log_metadata_run_tag_artifact_or_export_holds_a_secret(lived: Lived) -> None:
    exported = lived.folder / "exported"
    exported.mkdir(exist_ok=True)
    project = load_project(lived.life.folder / "shop")
    for document in project.documents:
        (exported / f"{document.name}.json").write_text(document.config.model_dump_json())
        (exported / f"{document.name}.txt").write_text(repr(document))
    assert leaks(lived.folder, SECRETS, lived.allowed) == []


def _in_the_event_log(lived: Lived) -> None:
    with dg.DagsterInstance.from_config(str(lived.instance_folder)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("x", metadata={"key": KEY}))


def _in_a_compute_log(lived: Lived) -> None:
    (log,) = list(lived.instance_folder.rglob("*.err"))[:1]
    log.write_text(log.read_text() + SALT)


def _in_a_table(lived: Lived) -> None:
    import polars as pl

    pl.DataFrame({"salt": [SALT] * 100}).write_delta(str(lived.folder / "project" / "leaked"))


def _on_a_run(lived: Lived) -> ModelRegistry:
    registry = lived.life.registry
    run = registry.client.get_run(registry.version("churn", "1").run_id).info.run_id
    registry.client.set_tag(run, "url", f"http://127.0.0.1:9/{HOOK}")
    return registry


def _in_an_artifact(lived: Lived) -> None:
    registry = lived.life.registry
    registry.client.log_text(registry.version("churn", "1").run_id, f"key: {KEY}", "notes.txt")


def _in_an_export(lived: Lived) -> None:
    (lived.folder / "export.yaml").write_text(yaml.safe_dump({"salt": SALT}))


@pytest.mark.parametrize(
    "plant", [_in_the_event_log, _in_a_compute_log, _in_a_table, _on_a_run, _in_an_artifact, _in_an_export]
)
def test_a_secret_that_is_planted_where_it_would_leak_is_found(lived: Lived, plant: Callable[[Lived], Any]) -> None:
    before = leaks(lived.folder, SECRETS, lived.allowed)
    plant(lived)
    assert len(leaks(lived.folder, SECRETS, lived.allowed)) > len(before)
