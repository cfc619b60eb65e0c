import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from mlops_assets.config import TrainingConfig
from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.training.__main__ import main
from mlops_assets.training.candidate import train
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.record import FILE, column_hashes
from mlops_assets.training.replay import Replay, replay, shown
from mlops_assets_tests.training.documents import features, training, two_clouds


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    return ModelRegistry.below(tmp_path_factory.mktemp("home"))


def rows(seed: int = 0) -> pl.DataFrame:
    city = pl.Series("city", ["Oslo", "Bergen", None] * 200)
    return two_clouds(600, seed).with_columns(city)


def trained(registry: ModelRegistry, path: Path, name: str, **fields: object) -> ModelVersion:
    """A version of a model on version 0 of a table, which has a version 1 since."""
    config: TrainingConfig = training(
        ["x0", "x1", "city"],
        registry_model_name=name,
        algorithm="hist_gradient_boosting",
        hyperparameters={"max_iter": 8},
        **fields,
    )
    table = str(path / "training_set")
    delta.overwrite(table, rows(), transactions={})
    read = delta.scan(table, 0).collect()
    lineage = lineage_of(config, features(), {table: 0})
    version = train(config, features(), read, registry, lineage, cause={}).version
    delta.overwrite(table, rows(1), transactions={})
    return version


@pytest.mark.parametrize(
    "fields",
    [{}, {"refit": True, "split_method": "time"}, {"cross_validation_folds": 2, "training_window": "20d"}],
    ids=["plain", "refitted", "folds and window"],
)
def test_a_version_is_trained_again_to_the_bit_though_its_table_went_on(
    registry: ModelRegistry, tmp_path: Path, fields: dict[str, object]
) -> None:
    found = replay(registry, trained(registry, tmp_path, "again", **fields))
    assert found.equal, shown(found)
    assert found.rows >= 480
    assert found.metrics >= 20


def test_the_command_answers_with_its_exit_code(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(registry.server.artifacts.parent))
    version = trained(registry, tmp_path, "cli")
    good = CliRunner().invoke(main, ["replay", "cli/latest"])
    assert (good.exit_code, "cli/1: equal to the bit" in good.output) == (0, True), good.output
    path = next(iter(version.table_versions))
    DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    bad = CliRunner().invoke(main, ["replay", "cli/1"])
    assert bad.exit_code == 1
    assert f"input: table {path} cannot be read at Delta version 0: its files were vacuumed" in bad.output
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.setenv("MLOPS_MLFLOW_URI", registry.server.tracking_uri)
    unknown = CliRunner().invoke(main, ["replay", "cli/9"])
    assert (unknown.exit_code, "no version or alias '9'; there are 1" in unknown.output) == (1, True)
    assert CliRunner().invoke(main, ["replay", "cli"]).exit_code == 2


def rewritten(registry: ModelRegistry, tmp_path: Path, name: str, frame: pl.DataFrame) -> Replay:
    """The replay of a version whose table was written anew, with other rows at the same Delta version."""
    version = trained(registry, tmp_path, name)
    path = Path(next(iter(version.table_versions)))
    path.rename(tmp_path / "before")
    delta.overwrite(str(path), frame, transactions={})
    return replay(registry, version)


def test_missing_rows_are_told_by_the_row_set_of_their_split(registry: ModelRegistry, tmp_path: Path) -> None:
    found = rewritten(registry, tmp_path, "rows", rows().filter(pl.col("id") != 5))
    assert not found.equal
    assert "row-set hash" in found.inputs[0]
    assert "Delta version 0 gives another" in found.inputs[0]


def test_a_changed_value_under_the_same_keys_is_told_by_its_column(registry: ModelRegistry, tmp_path: Path) -> None:
    one = pl.when(pl.col("id") == 5).then(9.0).otherwise("x1").alias("x1")
    found = rewritten(registry, tmp_path, "values", rows().with_columns(one))
    assert [text.split("version 0 ")[1] for text in found.inputs] == ["holds other values in x1"]
    assert found.outcome


def test_a_version_that_its_table_never_had_is_told(registry: ModelRegistry, tmp_path: Path) -> None:
    version = trained(registry, tmp_path, "gone")
    path = Path(next(iter(version.table_versions)))
    path.rename(tmp_path / "before")
    assert replay(registry, version).inputs[0].endswith("cannot be read at Delta version 0: the table is gone")


def test_the_record_holds_documents_tables_and_hashes(registry: ModelRegistry, tmp_path: Path) -> None:
    version = trained(registry, tmp_path, "record")
    record = json.loads(str(registry.text(version, FILE)))
    assert record["training"]["hyperparameters"] == {"max_iter": 8}
    assert record["splits"]["train"] == version.tag("rows_train")
    assert set(record["columns"]) == set(rows().columns)
    assert registry.text(version, "nothing.json") is None


def test_a_columns_hash_knows_nulls_types_and_order() -> None:
    columns = {
        "a": pl.Series([1, 0]),
        "b": pl.Series([1, None]),
        "c": pl.Series([0, 1]),
        "d": pl.Series([1.0, 0.0]),
        "e": pl.Series(["", "1"]),
        "f": pl.Series([None, "1"]),
    }
    assert len(set(column_hashes(pl.DataFrame(columns)).values())) == len(columns)
    chunks = pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [0]})], rechunk=False)
    assert column_hashes(chunks)["a"] == column_hashes(pl.DataFrame(columns))["a"]


def test_a_log_that_does_not_reach_the_version_is_told(registry: ModelRegistry, tmp_path: Path) -> None:
    version = trained(registry, tmp_path, "log")
    (tmp_path / "training_set" / "_delta_log" / f"{0:020}.json").unlink()
    assert "its log holds no such version" in replay(registry, version).inputs[0]
