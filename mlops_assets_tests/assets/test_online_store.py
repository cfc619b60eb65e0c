"""The online store in a run of the graph."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets.features import ONLINE
from mlops_assets.assets.rollouts import online_features
from mlops_assets.config import load_project
from mlops_assets.features.online import read_online
from mlops_assets.features.online_redis import RedisStore
from mlops_assets.features.online_sqlite import SqliteStore
from mlops_assets_tests.assets.shop import FEATURES, Shop


def online_check(result: dg.ExecuteInProcessResult) -> Any:
    return next(each for each in result.get_asset_check_evaluations() if each.check_name == ONLINE)


def test_a_run_brings_the_online_store_up_to_date_and_checks_it(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        shop = Shop(tmp_path, instance)
        shop.write("features.yaml", {**FEATURES, "online_store_enabled": True})
        store = SqliteStore(tmp_path / "home" / "online" / "shop" / "order_features.sqlite")
        assert online_check(shop.run()).passed
        assert read_online(store, [{"id": 3}])["amount"].to_list() == [7.0]
        shop.write_orders("id,amount,email,at\n3,8,c@x,2024-01-04\n", "b.csv")
        assert online_check(shop.run()).passed
        with sqlite3.connect(store.path) as connection:
            connection.execute("DELETE FROM features WHERE id = 1")
        failed = online_check(shop.run())
        assert not failed.passed
        assert "1 are missing" in failed.description


def test_a_platform_document_puts_the_store_on_a_redis_server(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = tmp_path / "configs" / "platforms" / "embedded.yaml"
    platform.parent.mkdir(parents=True)
    platform.write_text("name: embedded\nonline_store: {type: redis, url: '${FEATURE_SERVER}'}\n")
    monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "configs"))
    monkeypatch.setenv("FEATURE_SERVER", redis_url)
    with dg.DagsterInstance.ephemeral() as instance:
        shop = Shop(tmp_path, instance)
        shop.write("features.yaml", {**FEATURES, "online_store_enabled": True})
        assert online_check(shop.run()).passed
    assert read_online(RedisStore(redis_url, "shop/order_features"), [{"id": 3}])["amount"].to_list() == [7.0]
    assert not (tmp_path / "home" / "online").exists()


def test_an_endpoint_looks_up_the_features_of_its_model_where_their_table_is_online(tmp_path: Path) -> None:
    folder = shutil.copytree(Path(__file__).parents[2] / "configs" / "flights", tmp_path / "flights")
    assert online_features(load_project(folder), "flight_delay") is None
    with (folder / "features.yaml").open("a") as features:
        features.write("\nonline_store_enabled: true\n")
    assert online_features(load_project(folder), "flight_delay") == "flights/flight_features"
