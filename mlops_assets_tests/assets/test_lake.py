"""What a person sees and starts: maintenance, properties, partitions and backfills, column lineage."""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.lake import delta
from mlops_assets_tests.assets.shop import QUIET, Shop

Make = Callable[..., Shop]
DAILY = {"type": "daily", "start": "2024-01-01", "column": "at"}


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, instance: dg.DagsterInstance) -> Make:
    def make(folder: str = ".", **document: Any) -> Shop:
        (tmp_path / folder).mkdir(exist_ok=True)
        return Shop(tmp_path / folder, instance, **document)

    return make


def lineage(result: dg.ExecuteInProcessResult, *key: str) -> dict[str, set[tuple[str, str]]]:
    [event] = [each for each in result.get_asset_materialization_events() if each.asset_key == dg.AssetKey(list(key))]
    found: Any = event.materialization.metadata["dagster/column_lineage"].value
    deps = found.deps_by_column.items()
    return {name: {(dep.asset_key.path[1], dep.column_name) for dep in each} for name, each in deps}


def test_the_table_says_what_its_document_says_of_it(shop: Make) -> None:
    made = shop(
        description="One order.",
        column_descriptions={"amount": "In euros."},
        table_properties={"team": "sales"},
        retention="60d",
        change_data_feed=True,
    )
    assert made.run().success
    table = DeltaTable(made.table("orders"))
    said = table.metadata()
    assert said.description == "One order."
    assert said.configuration["team"] == "sales"
    assert said.configuration["delta.logRetentionDuration"] == "interval 60 days"
    assert said.configuration["delta.enableChangeDataFeed"] == "true"
    assert {field.name: field.metadata.get("comment") for field in table.schema().fields}["amount"] == "In euros."
    version = table.version()
    made.run()
    assert delta.version(made.table("orders")) == version


def test_a_table_that_only_grows_keeps_no_feed_unless_it_is_asked(shop: Make) -> None:
    made = shop()
    made.run()
    assert DeltaTable(made.table("orders")).metadata().configuration["delta.enableChangeDataFeed"] == "false"


@pytest.mark.field("data.z_order_by", "Maintenance lays rows that are near in these columns into the same files.")
def test_maintenance_orders_and_vacuums_every_table_and_says_its_size(shop: Make) -> None:
    made = shop(z_order_by=["id", "amount"], retention="0m")
    for number in range(3):
        made.write_orders(f"id,amount,email,at\n{number},1,a,2024-01-01\n", f"{number}.csv")
        made.run()
    before = delta.scan(made.table("orders")).sort(pl.all()).collect()
    result = made.run("shop_maintenance")
    assert result.success
    seen = [each.asset_observation_data.asset_observation for each in result.all_events if each.is_asset_observation]
    figures = {str(each.metadata["dagster/uri"].value).split("/")[-2:][-1]: each.metadata for each in seen[1:]}
    silver = {name: value.value for name, value in figures["orders"].items()}
    assert silver["order"] == "z-order by id, amount"
    assert (silver["files_before"], silver["files"]) == (3, 1)
    assert silver["old_files_removed"] >= 3
    assert delta.scan(made.table("orders")).sort(pl.all()).collect().equals(before)
    again = made.run("shop_maintenance")
    orders = [each.asset_observation_data.asset_observation for each in again.all_events if each.is_asset_observation]
    assert {str(each.metadata["order"].value) for each in orders} == {"nothing new"}
    made.write_orders("id,amount,email,at\n9,1,a,2024-01-01\n", "9.csv")
    assert made.run().success
    assert delta.rows(made.table("orders")) == before.height + 1


def test_columns_are_followed_through_renames_and_derived_columns_to_the_feature_table(shop: Make) -> None:
    steps = [
        {"type": "rename_columns", "mapping": {"amount": "net"}},
        {"type": "derive", "columns": {"gross": "net * 2 + id"}},
        {"type": "split", "column": "email", "separator": "@", "into": ["name", "host"]},
        {"type": "drop_columns", "columns": ["email"]},
    ]
    made = shop(transformation_steps=steps, primary_keys=["id"])
    features = {"primary_keys": ["id"], "timestamp_column": "at", "source_table": "silver/orders"}
    made.write("features.yaml", {**features, "feature_table_name": "order_features", "features": ["gross", "host"]})
    result = made.run()
    assert result.success
    silver = lineage(result, "shop", "silver", "orders")
    assert silver["net"] == {("bronze", "amount")}
    assert silver["gross"] == {("bronze", "amount"), ("bronze", "id")}
    assert silver["host"] == {("bronze", "email")}
    assert "email" not in silver
    assert lineage(result, "shop", "gold", "order_features")["gross"] == {("silver", "gross")}


def test_columns_are_followed_through_aggregates_and_joins(shop: Make) -> None:
    made = shop(primary_keys=["id"])
    made.write(
        "features.yaml",
        {
            "primary_keys": ["id"],
            "timestamp_column": "at",
            "source_table": "silver/orders",
            "feature_table_name": "order_features",
            "features": ["amount", "own_amount", "address"],
            "aggregates": [
                {"column": "amount", "functions": ["sum"], "windows": ["7d"]},
                {"column": "amount", "functions": ["mean"], "windows": ["1d"], "by": ["email"]},
            ],
            "joins": [
                {"table": "silver/orders", "on": {"id": "id"}, "columns": ["amount"], "prefix": "own_"},
                {"table": "silver/orders", "on": ["id"], "columns": ["email"], "rename": {"email": "address"}},
            ],
        },
    )
    result = made.run()
    assert result.success
    gold = lineage(result, "shop", "gold", "order_features")
    assert gold["amount_sum_7d"] == {("silver", "amount"), ("silver", "id")}
    assert gold["amount_mean_1d_by_email"] == {("silver", "amount"), ("silver", "email")}
    assert gold["own_amount"] == {("silver", "amount")}
    assert gold["address"] == {("silver", "email")}
    assert gold["id"] == {("silver", "id")}


def run_partition(made: Shop, key: str | None) -> dg.ExecuteInProcessResult:
    selection = dg.AssetSelection.assets(
        dg.AssetKey(["shop", "bronze", "orders"]), dg.AssetKey(["shop", "silver", "orders"])
    )
    job = dg.define_asset_job("data", selection=selection)
    definitions = dg.Definitions.merge(made.definitions, dg.Definitions(jobs=[job]))
    return definitions.resolve_job_def("data").execute_in_process(
        instance=made.instance, raise_on_error=False, run_config=QUIET, partition_key=key
    )


def write_days(made: Shop) -> None:
    made.write_orders("id,amount,email,at\n1,1,a,2024-01-01\n2,2,b,2024-01-02\n3,3,c,2024-01-03\n4,4,d,\n")
    made.write_orders("id,amount,email,at\n1,9,late,2024-01-02\n2,9,late,2024-01-01\n5,5,e,2024-01-03\n", "b.csv")


def silver(made: Shop) -> list[tuple[Any, ...]]:
    return delta.scan(made.table("orders")).sort("id", "at", "amount").collect().rows()


@pytest.mark.parametrize("keys", [[], ["id"]], ids=["append", "merge"])
def test_a_backfill_in_any_order_gives_the_table_of_day_by_day_runs(shop: Make, keys: list[str]) -> None:
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    found = []
    for number, order in enumerate([*permutations(days), (None,), ("2024-01-02", None)]):
        made = shop(str(number), partitions=DAILY, primary_keys=keys)
        write_days(made)
        for key in order:
            assert run_partition(made, key).success
        found.append(silver(made))
        quarantine = delta.scan(made.table("orders_quarantine")).collect()
        assert quarantine["_failed_rules"].to_list() == [["at_is_in_a_partition"]]
    assert all(each == found[0] for each in found)
    assert len(found[0]) == (4 if keys else 6)


def test_a_partition_takes_late_rows_once_when_it_is_run_again(shop: Make) -> None:
    made = shop(partitions=DAILY)
    for _ in range(2):
        run_partition(made, "2024-01-01")
    before = delta.version(made.table("orders"))
    run_partition(made, "2024-01-01")
    assert delta.version(made.table("orders")) == before
    made.write_orders("id,amount,email,at\n7,7,x,2024-01-01\n", "late.csv")
    run_partition(made, "2024-01-01")
    assert [row[0] for row in silver(made)] == [1, 7]


def test_static_and_dynamic_partitions_are_the_values_of_a_column(shop: Make) -> None:
    made = shop("static", partitions={"type": "static", "keys": ["a@x", "b@x"], "column": "email"})
    assert run_partition(made, "b@x").success
    assert [row[0] for row in silver(made)] == [2]
    made = shop("dynamic", partitions={"type": "dynamic", "column": "email"})
    run_partition(made, None)
    assert set(made.instance.get_dynamic_partitions("shop_orders")) == {"a@x", "b@x", "secret"}
    assert [row[0] for row in silver(made)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "key"), [("hourly", "2024-01-03-00:00"), ("weekly", "2023-12-31"), ("monthly", "2024-01-01")]
)
def test_every_length_of_time_is_a_partition(shop: Make, kind: str, key: str) -> None:
    made = shop(partitions={"type": kind, "start": "2023-12-01", "column": "at"})
    assert run_partition(made, key).success
    assert [row[0] for row in silver(made)] == ([3] if kind == "hourly" else [1, 2, 3])


def test_a_pipeline_with_partitions_runs_whole_without_one(shop: Make) -> None:
    made = shop(partitions=DAILY)
    assert made.run().success
    assert pl.Series(row[0] for row in silver(made)).to_list() == [1, 2, 3]
