"""A feature table against its document and its source, after either has changed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from mlops_assets.config import FeatureConfig
from mlops_assets.features.online import compare_online, read_online, refresh_online
from mlops_assets.features.online_sqlite import SqliteStore
from mlops_assets.features.refresh import Refreshed, refresh
from mlops_assets.lake import delta

DAY = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS = pl.DataFrame({"id": range(20), "time": [DAY] * 20, "amount": [1.5] * 20, "shop": ["a", "b"] * 10})


def config(**fields: Any) -> FeatureConfig:
    given = {
        "source_table": "orders",
        "feature_table_name": "features",
        "primary_keys": ["id"],
        "features": ["amount"],
        "timestamp_column": "time",
    }
    return FeatureConfig.model_validate({**given, **fields})


def made(tmp_path: Path, wanted: FeatureConfig, **options: Any) -> tuple[Refreshed, pl.DataFrame]:
    table = str(tmp_path / "features")
    joined = {join.table: str(tmp_path / join.table) for join in wanted.joins}
    done = refresh(wanted, source=str(tmp_path / "orders"), joined=joined, table=table, **options)
    return done, delta.scan(table).sort("id").collect()


def test_a_document_that_asks_for_other_rows_builds_all_of_them(tmp_path: Path) -> None:
    delta.overwrite(str(tmp_path / "orders"), ORDERS, transactions={})
    shops = pl.DataFrame({"shop": ["a", "b"], "size": [3, 4]})
    delta.overwrite(str(tmp_path / "shops"), shops, transactions={})
    assert made(tmp_path, config())[0].read == 20
    done, found = made(tmp_path, config(features=["amount", "shop"]))
    assert (done.read, found["shop"].null_count()) == (20, 0)
    lookup = config(features=["amount", "size"], joins=[{"table": "shops", "on": ["shop"]}])
    assert made(tmp_path, lookup)[1]["size"].to_list() == [3, 4] * 10
    parted = config(features=["amount", "size"], joins=lookup.joins, partition_columns=["shop"])
    assert made(tmp_path, parted)[1]["size"].to_list() == [3, 4] * 10
    told = parted.model_copy(update={"description": "by shop", "online_store_enabled": True})
    assert made(tmp_path, told)[0] == Refreshed()


def test_rows_that_left_the_source_leave_the_table_and_the_online_store(tmp_path: Path) -> None:
    source, table, store = str(tmp_path / "orders"), str(tmp_path / "features"), SqliteStore(tmp_path / "x.sqlite")
    delta.overwrite(source, ORDERS, transactions={})
    wanted = config(online_store_enabled=True)
    made(tmp_path, wanted)
    refresh_online(wanted, table, store)
    delta.overwrite(source, ORDERS[5:15].with_columns(amount=2.5), transactions={})
    done, found = made(tmp_path, wanted)
    assert (done.updated, done.deleted) == (10, 10)
    assert found.rows() == [(each, DAY, 2.5) for each in range(5, 15)]
    refresh_online(wanted, table, store)
    assert compare_online(wanted, table, store).consistent
    assert read_online(store).height == 10
    # A key that left and came back is there.
    delta.overwrite(source, ORDERS[10:], transactions={})
    delta.merge(source, ORDERS[:6], keys=["id"], transactions={})
    assert made(tmp_path, wanted)[1]["id"].to_list() == [*range(6), *range(10, 20)]


def test_a_source_that_was_made_again_is_another_source(tmp_path: Path) -> None:
    import shutil

    source = tmp_path / "orders"
    for each in (ORDERS[:5], ORDERS[5:10]):
        delta.append(str(source), each, transactions={})
    made(tmp_path, config())
    shutil.rmtree(source)
    delta.append(str(source), ORDERS[10:], transactions={})
    assert made(tmp_path, config())[1]["id"].to_list() == list(range(10, 20))
