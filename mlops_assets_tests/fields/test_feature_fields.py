"""Each field of the reference's feature document, changed, has its documented effect."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.features.online import read_online
from mlops_assets.features.online_store import online_store
from mlops_assets.lake import delta
from mlops_assets.training.fit import fit
from mlops_assets_tests.fields.life import ROWS, Life, customers, life_in
from mlops_assets_tests.training.documents import features, training, two_clouds

field = pytest.mark.field
BOTH = "data features"
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with life_in(tmp_path_factory.mktemp("features")) as made:
        assert made.run("bronze", "silver", kinds=BOTH).success
        yield made


def gold(life: Life, table: str, **features: Any) -> pl.DataFrame:
    """The feature table `table` that the document makes."""
    assert life.run("gold", kinds=BOTH, features={"feature_table_name": table, **features}).success
    return life.read("gold", table)


@field("features.source_table", "The rows come from that table.")
def test_features_come_from_the_source_table(life: Life, tmp_path: Path) -> None:
    customers(5).head(4).write_delta(str(tmp_path / "other"))
    found = gold(life, "from_elsewhere", source_table=str(tmp_path / "other"))
    assert found["id"].to_list() == [5 * ROWS + n for n in range(4)]


@field("features.feature_table_name", "Its last part names the feature table.")
def test_the_feature_table_has_its_name(life: Life) -> None:
    assert gold(life, "named", feature_table_name="main.shop.named").height == ROWS


@field("features.primary_keys", "A row a key: a key that repeats stops what is downstream.")
def test_a_repeated_primary_key_is_refused(life: Life) -> None:
    same = life.run("gold", kinds=BOTH, features={"feature_table_name": "keyed", "primary_keys": ["region"],
                                                  "timestamp_column": "region"})  # fmt: skip
    assert not same.success
    assert not delta.exists(life.table("gold", "keyed"))


@field("features.features", "These columns and no others beside key and time; empty means all.")
def test_the_features_are_the_columns_of_the_table(life: Life) -> None:
    assert gold(life, "one", features=["tenure"]).columns == ["id", "at", "tenure"]
    assert set(gold(life, "every", features=[]).columns) == set(customers(0).columns)


@field("features.timestamp_column", "The instant of a row, by which other tables are joined as they were known.")
def test_the_timestamp_is_the_instant_of_a_row(life: Life, tmp_path: Path) -> None:
    changed = [START, START + timedelta(minutes=100)]
    prices = pl.DataFrame({"since": changed, "price": [1, 9]}).join(
        pl.DataFrame({"region": ["north", "south"]}), how="cross"
    )
    prices.write_delta(str(tmp_path / "prices"))
    join = {"table": str(tmp_path / "prices"), "on": ["region"], "as_of": "since", "columns": ["price"]}
    found = gold(life, "timed", features=["price"], joins=[join]).sort("at")
    assert found["price"].to_list() == [1] * 100 + [9] * (ROWS - 100)


@field("features.partition_columns", "The table's files lie in folders by the columns' values.")
def test_the_feature_table_is_parted(life: Life) -> None:
    gold(life, "parted", partition_columns=["region"])
    assert DeltaTable(life.table("gold", "parted")).metadata().partition_columns == ["region"]


@field("features.description", "Is what the catalogue says of the table.")
def test_the_description_is_the_assets(life: Life) -> None:
    assert asset(life, description="What is known of a customer.").descriptions_by_key == {
        dg.AssetKey(["shop", "gold", "customer_features"]): "What is known of a customer."
    }


@field("features.tags", "Are the asset's tags.")
def test_the_tags_are_the_assets(life: Life) -> None:
    key = dg.AssetKey(["shop", "gold", "customer_features"])
    assert asset(life, tags={"team": "retention"}).tags_by_key[key]["team"] == "retention"


def asset(life: Life, **features: Any) -> dg.AssetsDefinition:
    definitions = life.definitions(BOTH, features=features)
    return definitions.resolve_assets_def(dg.AssetKey(["shop", "gold", "customer_features"]))


@field("features.online_store_enabled", "The newest row of each key can be looked up.")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_online_store_answers_where_it_is_enabled(life: Life, enabled: bool) -> None:
    table = f"online_{enabled}".lower()
    gold(life, table, online_store_enabled=enabled)
    store = online_store(life.home, "shop", table)
    assert (store.state() is not None) == enabled
    if enabled:
        assert read_online(store, [{"id": 7}])["tenure"].to_list() == [customers(0)["tenure"][7]]


@field("features.offline_store_path", "Another name by which documents may read the table.")
def test_the_offline_store_path_is_another_name_of_the_table(life: Life) -> None:
    path = "dbfs:/gold/customer_features"
    named = life.definitions(features={"offline_store_path": path}, training={"feature_table": path})
    training_set = named.resolve_assets_def(dg.AssetKey(["shop", "gold", "training_set"]))
    assert dg.AssetKey(["shop", "gold", "customer_features"]) in training_set.dependency_keys


@field("features.feature_transformations", "The model learns from what they make; what it is asked is the raw column.")
def test_the_model_learns_from_transformed_features() -> None:
    rows = two_clouds().with_columns(contract=pl.when("label").then(pl.lit("monthly")).otherwise(pl.lit("yearly")))
    encoded = {"contract": {"type": "one_hot_encode", "output_columns": ["by_month", "by_year"]}}
    document = training(["x0", "by_month"], algorithm="logistic_regression")
    fitted = fit(document, features(feature_transformations=encoded), rows)
    assert fitted.inputs == ("x0", "contract")
    said = fitted.pipeline.predict(pd.DataFrame({"x0": [0.5, 0.5], "contract": ["monthly", "yearly"]}))
    assert list(said) == [True, False]
