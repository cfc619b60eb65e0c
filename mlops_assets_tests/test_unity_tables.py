"""What Unity Catalog is told of a table, against the stand-in's warehouse through Databricks' own SDK."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.unity_tables import UnityError, UnityTable, UnityTables, register, sql_executor, statements
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace

GRANTS = {"data team": ["SELECT", "MODIFY"]}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Workspace]:
    with workspace(tmp_path) as made:
        yield made


@pytest.fixture
def execute(there: Workspace) -> Callable[[str], None]:
    from databricks.sdk import WorkspaceClient

    return sql_executor(lambda: WorkspaceClient(host=there.url, token=TOKEN), "warehouse")


@pytest.fixture
def table(tmp_path: Path) -> UnityTable:
    location = str(tmp_path / "external" / "orders")
    pl.DataFrame({"id": [1]}).write_delta(location)
    return UnityTable("main.shop.orders", location, "Jane's \\ orders", {"cost.center": "it's 7"})


def test_a_table_is_there_with_comment_tags_and_grants_and_may_be_told_again(
    there: Workspace, execute: Callable[[str], None], table: UnityTable
) -> None:
    for _ in range(2):
        register([table], UnityTables("main.shop", "warehouse", GRANTS), execute)

    found = there.catalog.tables["main.shop.orders"]
    assert (found.location, found.comment) == (table.location, table.comment)
    assert found.tags == {"cost_center": "it's 7"}
    assert found.grants == {"data team": {"SELECT", "MODIFY"}}
    assert found.columns == {"id": ""}


def test_columns_that_came_later_are_seen(there: Workspace, execute: Callable[[str], None], table: UnityTable) -> None:
    register([table], UnityTables("main.shop", "warehouse"), execute)
    pl.DataFrame({"id": [2], "amount": [1.0]}).write_delta(
        table.location, mode="append", delta_write_options={"schema_mode": "merge"}
    )
    register([table], UnityTables("main.shop", "warehouse"), execute)

    assert list(there.catalog.tables["main.shop.orders"].columns) == ["id", "amount"]


@pytest.mark.parametrize(
    ("name", "location", "told"),
    [
        ("main.shop.orders", "/Volumes/main/ml/x", "cloud file system scheme"),
        ("main.shop.orders", "nowhere", "is not a Delta table"),
        ("nowhere.shop.orders", "nowhere", "Catalog 'nowhere' not found"),
    ],
)
def test_what_unity_catalog_refuses_is_told_with_the_statement(
    execute: Callable[[str], None], name: str, location: str, told: str
) -> None:
    with pytest.raises(UnityError, match=told) as raised:
        register([UnityTable(name, location)], UnityTables("main.shop", "warehouse"), execute)
    assert "asked for: CREATE" in str(raised.value)


def test_a_warehouse_that_is_not_there_is_told_with_the_statement(there: Workspace, table: UnityTable) -> None:
    from databricks.sdk import WorkspaceClient

    elsewhere = sql_executor(lambda: WorkspaceClient(host=there.url, token=TOKEN), "gone")

    with pytest.raises(UnityError, match=r"SQL warehouse gone does not exist.*asked for: CREATE SCHEMA"):
        register([table], UnityTables("main.shop", "gone"), elsewhere)


def test_a_name_cannot_end_its_quotes() -> None:
    (_, create, *_) = statements(UnityTable("a.b.c", "s3://x/it's"), {})
    assert create == r"CREATE TABLE IF NOT EXISTS `a`.`b`.`c` USING DELTA LOCATION 's3://x/it\'s'"
