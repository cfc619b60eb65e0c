import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import FeatureConfig
from mlops_assets.features.errors import FeatureError, StoreUnavailableError
from mlops_assets.features.online import compare_online, features_by_key, read_online, refresh_online
from mlops_assets.features.online_redis import RedisStore
from mlops_assets.features.online_sqlite import SqliteStore
from mlops_assets.features.online_store import OnlineStore, StoreState, online_store
from mlops_assets.lake import delta

START = datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def config(*keys: str) -> FeatureConfig:
    return FeatureConfig.model_validate(
        {
            "source_table": "silver",
            "feature_table_name": "features",
            "primary_keys": keys,
            "features": [],
            "timestamp_column": "time",
            "online_store_enabled": True,
        }
    )


BY_TIME = config("shop", "time")


def rows(*given: tuple[str, int, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "shop": [shop for shop, _, _ in given],
            "time": [START + timedelta(days=day) for _, day, _ in given],
            "amount": pl.Series([amount for _, _, amount in given], dtype=pl.Float64),
        }
    )


def merged(table: str, frame: pl.DataFrame, *keys: str) -> None:
    delta.merge(table, frame, keys=keys, transactions={})


Places = tuple[str, OnlineStore]


@pytest.fixture(params=["sqlite", "redis"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return str(tmp_path / "features"), online_store(tmp_path, tmp_path.name, "features", url)


@pytest.fixture
def in_a_file(tmp_path: Path) -> tuple[str, SqliteStore]:
    return str(tmp_path / "features"), SqliteStore(tmp_path / "features.sqlite")


def test_the_newest_row_of_each_key_is_there_and_grows_with_what_is_new(places: Places) -> None:
    table, store = places
    merged(table, rows(("a", 0, 1.0), ("a", 2, 2.0), ("b", 1, 3.0)), "shop", "time")
    assert refresh_online(BY_TIME, table, store) == 3
    assert read_online(store).equals(rows(("a", 2, 2.0), ("b", 1, 3.0)))
    merged(table, rows(("a", 1, 9.0), ("b", 5, 4.0), ("c", 0, None)), "shop", "time")
    assert refresh_online(BY_TIME, table, store) == 3
    assert read_online(store).equals(rows(("a", 2, 2.0), ("b", 5, 4.0), ("c", 0, None)))
    assert refresh_online(BY_TIME, table, store) == 0
    assert compare_online(BY_TIME, table, store).consistent


def test_rows_are_read_by_key_in_the_order_asked_and_an_unknown_key_has_none(places: Places) -> None:
    table, store = places
    merged(table, rows(*((f"s{number}", 0, float(number)) for number in range(1200))), "shop", "time")
    refresh_online(BY_TIME, table, store)
    asked = [{"shop": f"s{number}"} for number in (*range(1100, 0, -1), 9999)]
    assert read_online(store, asked)["amount"].to_list() == [float(number) for number in range(1100, 0, -1)]
    with pytest.raises(FeatureError, match=r"a key of the online store has no column 'shop'"):
        read_online(store, [{"shp": "a"}])


def test_a_corrected_row_replaces_the_old_one_even_with_an_earlier_time(places: Places) -> None:
    table, store = places
    for given in (("a", 3, 1.0), ("a", 1, 2.0)):
        merged(table, rows(given), "shop")
        refresh_online(config("shop"), table, store)
    assert read_online(store).equals(rows(("a", 1, 2.0)))
    assert compare_online(config("shop"), table, store).consistent


def test_an_overwritten_table_and_new_columns_make_the_store_anew(places: Places) -> None:
    table, store = places
    merged(table, rows(("a", 0, 1.0), ("b", 0, 1.0)), "shop", "time")
    refresh_online(BY_TIME, table, store)
    delta.overwrite(table, rows(("b", 0, 7.0)), transactions={})
    refresh_online(BY_TIME, table, store)
    assert read_online(store).equals(rows(("b", 0, 7.0)))
    wider = rows(("b", 0, 7.0)).with_columns(more=pl.lit("x"))
    delta.overwrite(table, wider, transactions={})
    refresh_online(BY_TIME, table, store)
    assert read_online(store).equals(wider)


def test_every_type_comes_back_as_it_was_to_the_bit(places: Places) -> None:
    table, store = places
    frame = pl.DataFrame(
        {
            "shop": ["a", "b"],
            "time": [START, START + timedelta(microseconds=1)],
            "day": [date(1969, 12, 31), None],
            "plain": [datetime(1900, 1, 1, 0, 0, 0, 1), None],
            "float": [0.1 + 0.2, 5e-324],
            "single": pl.Series([0.1, None], dtype=pl.Float32),
            "whole": [2**62 + 1, -(2**63)],
            "small": pl.Series([-128, None], dtype=pl.Int8),
            "flag": [True, None],
            "text": ["", "né\u0000"],
            'a "name"': [1, 2],
        }
    )
    merged(table, frame, "shop", "time")
    refresh_online(BY_TIME, table, store)
    assert read_online(store).equals(delta.scan(table).sort("shop").collect())
    assert read_online(store).schema == delta.schema(table)


def test_a_store_that_was_tampered_with_is_told(in_a_file: tuple[str, SqliteStore]) -> None:
    table, store = in_a_file
    merged(table, rows(("a", 0, 1.0), ("b", 0, 1.0), ("c", 0, 1.0)), "shop", "time")
    refresh_online(BY_TIME, table, store)
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE features SET amount = 2.0 WHERE shop = 'a'")
        connection.execute("UPDATE features SET shop = 'z' WHERE shop = 'b'")
    found = compare_online(BY_TIME, table, store)
    assert (found.keys, found.missing, found.extra, found.unequal) == (3, 1, 1, 1)
    assert not found.consistent


def test_a_refresh_that_was_killed_leaves_the_store_as_it_was(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    table, store = places
    merged(table, rows(("a", 0, 1.0)), "shop", "time")
    refresh_online(BY_TIME, table, store)
    merged(table, rows(("a", 1, 2.0), ("b", 0, 1.0)), "shop", "time")

    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StoreState, "text", killed)
        with pytest.raises(KeyboardInterrupt):
            refresh_online(BY_TIME, table, store)
    assert read_online(store).equals(rows(("a", 0, 1.0)))
    refresh_online(BY_TIME, table, store)
    assert compare_online(BY_TIME, table, store).consistent


def test_a_type_without_a_place_and_a_store_that_is_not_there_are_refused(places: Places) -> None:
    table, store = places
    merged(table, rows(("a", 0, 1.0)).with_columns(many=pl.lit([1, 2])), "shop", "time")
    with pytest.raises(FeatureError, match="column 'many' is List"):
        refresh_online(BY_TIME, table, store)
    with pytest.raises(FeatureError, match="there is no online store"):
        read_online(store)


def test_features_by_key_have_a_row_for_each_key_and_nulls_for_an_unknown_one(places: Places) -> None:
    table, store = places
    merged(table, rows(("a", 0, 1.0), ("b", 0, 2.0)), "shop", "time")
    refresh_online(BY_TIME, table, store)
    found = features_by_key(store, [{"shop": "b"}, {"shop": "never seen"}, {"shop": "a", "other": 1}, {"shop": "b"}])
    assert found["amount"].to_list() == [2.0, None, 1.0, 2.0]
    assert found.schema == delta.schema(table)
    with pytest.raises(FeatureError, match=r"is not of the types of shop \(String\)"):
        features_by_key(store, [{"shop": ["a"]}])


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = RedisStore("redis://someone:secret@127.0.0.1:1/0", "shop/features")
    with pytest.raises(
        StoreUnavailableError, match=r"the online store at redis://127\.0\.0\.1:1/0 .*gave no answer"
    ) as told:
        read_online(store)
    assert "secret" not in str(told.value) + repr(store)


def test_writers_of_one_server_wait_for_each_other(redis_url: str, tmp_path: Path) -> None:
    table, store = str(tmp_path / "features"), RedisStore(redis_url, "waits")
    merged(table, rows(*((f"s{number}", number, 1.0) for number in range(300))), "shop", "time")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: refresh_online(BY_TIME, table, store), range(4)))
    assert compare_online(BY_TIME, table, store).consistent
