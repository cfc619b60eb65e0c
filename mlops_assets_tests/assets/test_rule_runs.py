from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from mlops_assets.lake import delta, prepare
from mlops_assets.lake.quarantine import waiting_rows
from mlops_assets_tests.assets.shop import Shop, checks, materialized, metadata

SILVER, GOLD = "shop/silver/orders", "shop/gold/order_features"
EMAIL = {"name": "email", "condition": "email.str.contains('@')", "severity": "warning"}
POSITIVE = {"name": "positive", "condition": "amount > 0"}
Make = Callable[..., Shop]


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, instance: dg.DagsterInstance) -> Make:
    return lambda **document: Shop(tmp_path, instance, **document)


def test_every_rule_has_its_check_with_severity_counts_and_examples(shop: Make) -> None:
    rules = [POSITIVE, EMAIL, {"name": "many", "condition": "row_count >= 3"}]
    result = shop(validation_rules=rules, primary_keys=["id"]).run()
    assert result.success
    found = checks(result)
    assert set(found) == {"positive", "email", "many", "id_is_a_key", "quarantined_share", "rows_add_up", "columns"}
    shown = metadata(found["positive"])
    assert (shown["failed_rows"], shown["unknown_rows"], shown["rows"]) == (1, 0, 3)
    assert shown["examples"].splitlines()[-1] == "| -5 |"
    assert {name: each.passed for name, each in found.items() if not each.passed} == {"positive": False, "email": False}
    assert found["email"].severity is dg.AssetCheckSeverity.WARN
    assert "1 of 3 rows fail (33.33%)" in found["email"].description


def test_a_broken_warning_stops_nothing(shop: Make) -> None:
    result = shop(validation_rules=[EMAIL]).run()
    assert result.success
    assert GOLD in materialized(result)
    assert not checks(result)["email"].passed


def test_a_broken_error_rule_quarantines_its_rows_and_the_rest_goes_on(shop: Make) -> None:
    made = shop(validation_rules=[POSITIVE])
    result = made.run()
    assert result.success
    assert GOLD in materialized(result)
    assert delta.rows(made.table("orders_quarantine")) == 1
    assert delta.rows(made.table("order_features", "gold")) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"validation_rules": [{**POSITIVE, "severity": "critical"}]},
        {"validation_rules": [{"name": "many", "condition": "row_count > 3"}]},
        {"validation_rules": [POSITIVE], "max_error_fraction": 0.1},
        {"min_rows": 4},
    ],
    ids=["critical", "table rule", "share", "min_rows"],
)
def test_what_must_not_go_on_fails_the_run_and_nothing_downstream_runs(shop: Make, broken: dict[str, Any]) -> None:
    made = shop(**broken)
    result = made.run()
    assert not result.success
    assert not materialized(result) & {SILVER, GOLD}
    assert not delta.exists(made.table("orders"))
    assert not delta.exists(made.table("order_features", "gold"))


def test_a_broken_critical_rule_shows_its_check_as_failed_with_an_error(shop: Make) -> None:
    check = checks(shop(validation_rules=[{**POSITIVE, "severity": "critical"}]).run())["positive"]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)


def test_a_check_that_crashes_fails_the_run_and_is_never_green(shop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the engine broke")

    monkeypatch.setattr(prepare, "validate", crash)
    result = shop(validation_rules=[POSITIVE]).run()
    assert not result.success
    assert checks(result) == {}
    assert not materialized(result) & {SILVER, GOLD}


def test_a_table_check_that_crashes_fails_the_run_too(shop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the engine broke")

    monkeypatch.setattr("mlops_assets.steps.table_checks.schema_of", crash)
    result = shop(validation_rules=[POSITIVE]).run()
    assert not result.success
    assert not any(check.passed for check in checks(result).values() if check.check_name == "columns")
    assert GOLD not in materialized(result)


def test_a_run_with_nothing_new_has_every_check_again(shop: Make) -> None:
    made = shop(validation_rules=[POSITIVE, EMAIL], primary_keys=["id"])
    first, second = checks(made.run()), checks(made.run())
    assert set(second) == set(first)
    assert second["positive"].passed


def test_values_of_sensitive_columns_are_masked_wherever_dagster_keeps_them(shop: Make) -> None:
    rules = [EMAIL, {"name": "known", "condition": "email != 'secret'"}]
    result = shop(validation_rules=rules, sensitive_columns=["email"]).run()
    assert "***" in metadata(checks(result)["known"])["examples"]
    kept = [str(event) for event in result.all_events if "ASSET_CHECK_EVALUATION" in event.event_type_value]
    assert kept
    assert not [text for text in kept if "| secret" in text or "b@x" in text]


def test_replay_lets_a_released_row_into_silver_once(shop: Make) -> None:
    made = shop(validation_rules=[POSITIVE])
    made.run()
    for _ in range(2):
        result = made.run("shop_replay_quarantine", table="orders", release=["positive"])
        assert result.success
        assert delta.scan(made.table("orders")).collect()["id"].sort().to_list() == [1, 2, 3]
    assert waiting_rows(made.table("orders_quarantine")) == 0
    (recorded, *_) = made.instance.fetch_materializations(dg.AssetKey(["shop", "silver", "orders"]), limit=1).records
    assert recorded.asset_materialization is not None
    assert recorded.asset_materialization.metadata["rows_written"].value == 1


def test_replay_of_every_table_takes_what_a_mended_rule_lets_through(shop: Make) -> None:
    made = shop(validation_rules=[POSITIVE])
    made.run()
    made.document(validation_rules=[{**POSITIVE, "condition": "amount > -6"}])
    assert made.run("shop_replay_quarantine").success
    assert delta.rows(made.table("orders")) == 3


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"table": "ordres"}, "did you mean 'orders'?"),
        ({"release": ["positive"]}, "need a table"),
        ({"table": "orders", "release": ["positiv"]}, "did you mean 'positive'"),
        ({"table": "orders", "where": "amuont > 1"}, "did you mean 'amount'?"),
    ],
)
def test_a_replay_of_what_is_not_there_is_refused_in_a_sentence(
    shop: Make, chosen: dict[str, Any], message: str
) -> None:
    made = shop(validation_rules=[POSITIVE])
    made.run()
    result = made.run("shop_replay_quarantine", **chosen)
    assert not result.success
    (failure,) = (event.event_specific_data for event in result.all_events if event.is_step_failure)
    assert message in str(failure)


WIDER = "id,amount,email,at,coupon\n4,40,d@x,2024-02-01,X\n"


def test_an_unexpected_column_fails_the_run_by_name_and_writes_nothing(shop: Make) -> None:
    made = shop()
    made.write_orders(WIDER)
    result = made.run()
    assert not result.success
    assert "unexpected column 'coupon', which the document does not declare" in str(result.all_events)
    assert not delta.exists(made.table("orders", "bronze"))


@pytest.mark.parametrize("keys", [[], ["id"]], ids=["append", "merge"])
def test_unexpected_columns_widen_bronze_and_silver_where_they_may_be_added(shop: Make, keys: list[str]) -> None:
    made = shop(schema_evolution="add", primary_keys=keys)
    assert made.run().success
    made.write_orders(WIDER, "b.csv")
    assert made.run().success
    made.write_orders("id,amount,email,at\n5,50,e@x,2024-03-01\n", "c.csv")
    assert made.run().success
    assert "coupon" in delta.schema(made.table("orders", "bronze"))
    rows = delta.scan(made.table("orders")).sort("id").select("id", "coupon").collect()
    assert rows.rows() == [(1, None), (2, None), (3, None), (4, "X"), (5, None)]


def test_ignored_columns_are_left_out_and_named(shop: Make) -> None:
    made = shop(schema_evolution="ignore")
    made.write_orders(WIDER, "b.csv")
    result = made.run()
    assert result.success
    assert "coupon" not in delta.schema(made.table("orders", "bronze"))
    (bronze,) = (
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key and event.asset_key.path[1] == "bronze"
    )
    assert (bronze.metadata["columns_ignored"].value, bronze.metadata["columns_ignored_count"].value) == (["coupon"], 1)


def test_without_declared_columns_the_table_says_what_is_expected(shop: Make) -> None:
    made = shop(columns={})
    assert made.run().success
    made.write_orders(WIDER, "b.csv")
    result = made.run()
    assert not result.success
    assert "unexpected column 'coupon', which the table does not have" in str(result.all_events)


def test_a_repeated_key_in_an_appended_table_stops_what_is_downstream(shop: Make) -> None:
    made = shop(primary_keys=["id"], write_mode="append", sensitive_columns=["id"])
    assert made.run().success
    made.write_orders("id,amount,email,at\n2,50,e@x,2024-03-01\n9,50,e@x,2024-03-01\n", "b.csv")
    result = made.run()
    assert not result.success
    assert GOLD not in materialized(result)
    check = checks(result)["primary_keys_are_unique"]
    assert (check.passed, metadata(check)["repeated_keys"], metadata(check)["rows"]) == (False, 1, 2)
    assert "| *** | 2 |" in metadata(check)["examples"]


def test_a_merged_table_needs_no_check_of_its_key(shop: Make) -> None:
    assert "primary_keys_are_unique" not in checks(shop(primary_keys=["id"]).run())


def test_a_table_that_lost_a_declared_column_fails_its_columns_check(shop: Make) -> None:
    made = shop()
    assert made.run().success
    rows = delta.scan(made.table("orders")).collect()
    changed = rows.drop("email").with_columns(pl.col("amount").cast(pl.String))
    delta.overwrite(made.table("orders"), changed, transactions={})
    result = made.run()
    assert not result.success
    table = metadata(checks(result)["columns"])["examples"]
    assert "| email | string | is not there |" in table
    assert "| amount | float | string |" in table


def test_freshness_of_the_document_is_the_assets_policy(shop: Make) -> None:
    made = shop(freshness={"fail_window": "1d", "warn_window": "12h"})
    spec = made.definitions.resolve_asset_graph().get(dg.AssetKey(["shop", "silver", "orders"]))
    policy = spec.freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(fail_window=_hours(24), warn_window=_hours(12))


def _hours(count: int) -> Any:
    from datetime import timedelta

    return timedelta(hours=count)
