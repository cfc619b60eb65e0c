from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.lake import delta, refined_writes
from mlops_assets.lake.errors import LakeError
from mlops_assets_tests.lake.conftest import Lake

ORDERS = "id,amount,day\n1,10,2024-01-01\n2,-5,2024-01-02\n3,abc,2024-01-03\n"
COLUMNS = {"id": "int", "amount": "float", "day": "date"}
POSITIVE = {"name": "positive", "condition": "amount > 0"}


def test_rows_that_break_an_error_rule_go_to_the_quarantine_as_they_arrived(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    done = lake.load(lake.config(columns=COLUMNS, validation_rules=[POSITIVE], max_error_fraction=1))
    silver = delta.scan(lake.tables.silver).collect()
    bad = delta.scan(lake.tables.quarantine).sort("_row_id").collect()
    assert silver["id"].to_list() == [1]
    assert bad["amount"].to_list() == ["-5", "abc"]
    assert bad["_failed_rules"].to_list() == [["positive"], ["amount_is_float"]]
    assert bad["_run_id"].to_list() == ["run-1", "run-1"]
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (3, 1, 2)


def test_a_value_that_a_cast_step_cannot_read_quarantines_its_row(lake: Lake) -> None:
    lake.write("a.csv", "id,when\n1,03.04.2024\n2,2024\n")
    steps = [{"type": "parse_date", "columns": ["when"], "format": "%d.%m.%Y"}]
    lake.load(lake.config(columns={"id": "int", "when": "string"}, transformation_steps=steps, max_error_fraction=1))
    assert delta.scan(lake.tables.silver).collect()["when"].to_list() == [datetime(2024, 4, 3).date()]
    assert delta.scan(lake.tables.quarantine).collect()["_failed_rules"].to_list() == [["when_is_date"]]


def test_more_bad_rows_than_allowed_block_and_write_nothing(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    config = lake.config(columns=COLUMNS, validation_rules=[POSITIVE], max_error_fraction=0.5)
    done = lake.load(config)
    assert "66.67%" in done.blocked[0]
    assert "most break amount_is_float (1 rows), positive (1 rows)" in done.blocked[0]
    assert not delta.exists(lake.tables.silver)
    assert not delta.exists(lake.tables.quarantine)
    assert lake.refine(lake.config(columns=COLUMNS, max_error_fraction=0.5)).rows.read == 3


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "all_positive", "condition": "amount > 0", "severity": "critical"},
        {"name": "enough", "condition": "row_count > 100"},
    ],
)
def test_a_broken_critical_or_table_rule_blocks(lake: Lake, rule: dict[str, str]) -> None:
    lake.write("a.csv", ORDERS)
    done = lake.load(lake.config(columns=COLUMNS, validation_rules=[rule], max_error_fraction=1))
    assert rule["name"] in done.blocked[0]
    assert not delta.exists(lake.tables.silver)


def test_a_broken_warning_stops_nothing_and_quarantines_nothing(lake: Lake) -> None:
    lake.write("a.csv", ORDERS.replace("abc", "7"))
    done = lake.load(lake.config(columns=COLUMNS, validation_rules=[{**POSITIVE, "severity": "warning"}]))
    assert delta.rows(lake.tables.silver) == 3
    assert [outcome.failed_rows for outcome in done.outcomes] == [1]


def test_a_later_row_of_the_same_key_replaces_the_earlier_and_is_counted(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS, primary_keys=["id"])
    lake.write("a.csv", "id,amount,day\n1,10,2024-01-01\n2,20,2024-01-01\n2,21,2024-01-01\n")
    first = lake.load(config)
    assert first.rows.removed == {"merge": 1}
    lake.write("b.csv", "id,amount,day\n1,11,2024-01-02\n3,30,2024-01-02\n")
    second = lake.load(config)
    assert second.rows.removed == {"merge": 1}
    assert dict(delta.scan(lake.tables.silver).select("id", "amount").collect().iter_rows()) == {
        1: 11,
        2: 21,
        3: 30,
    }


def test_a_row_without_its_key_is_quarantined(lake: Lake) -> None:
    lake.write("a.csv", "id,amount,day\n,10,2024-01-01\n2,20,2024-01-01\n")
    lake.load(lake.config(columns=COLUMNS, primary_keys=["id"], max_error_fraction=1))
    assert delta.scan(lake.tables.quarantine).collect()["_failed_rules"].to_list() == [["id_is_a_key"]]


def test_filtered_and_exploded_rows_are_counted_by_their_step(lake: Lake) -> None:
    (lake.source / "a.parquet").parent.mkdir(exist_ok=True)
    pl.DataFrame({"id": [1, 2, 3], "tags": [["a", "b"], ["c"], ["d", "e", "f"]]}).write_parquet(
        lake.source / "a.parquet"
    )
    steps = [{"type": "filter", "condition": "id != 2"}, {"type": "explode", "columns": ["tags"]}]
    done = lake.load(lake.config(format="parquet", transformation_steps=steps))
    assert done.rows.removed == {"filter": 1}
    assert done.rows.added == {"explode": 3}
    assert done.rows.written == 5


def test_deduplicate_runs_after_the_rules(lake: Lake) -> None:
    lake.write("a.csv", "id,amount,day\n1,10,2024-01-01\n1,-1,2024-01-02\n")
    steps = [{"type": "deduplicate", "keys": ["id"], "order_by": ["day"]}]
    lake.load(
        lake.config(columns=COLUMNS, transformation_steps=steps, validation_rules=[POSITIVE], max_error_fraction=1)
    )
    assert delta.scan(lake.tables.silver).collect()["amount"].to_list() == [10]


def test_a_run_that_was_killed_between_quarantine_and_silver_writes_the_missing_half_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = lake.config(columns=COLUMNS, validation_rules=[POSITIVE], max_error_fraction=1)
    lake.write("a.csv", ORDERS)
    with monkeypatch.context() as killed:
        killed.setattr(refined_writes, "write_silver", _killed)
        with pytest.raises(KeyboardInterrupt):
            lake.load(config)
    assert delta.rows(lake.tables.quarantine) == 2
    lake.write("b.csv", "id,amount,day\n4,40,2024-01-04\n")
    lake.load(config)
    assert delta.scan(lake.tables.silver).collect()["id"].sort().to_list() == [1, 4]
    assert delta.rows(lake.tables.quarantine) == 2


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_rule_may_ask_another_table(lake: Lake, tmp_path: Path) -> None:
    lake.write("a.csv", "id,amount,day\n1,1,2024-01-01\n2,1,2024-01-01\n")
    delta.append(str(tmp_path / "customers"), pl.DataFrame({"id": [1]}), transactions={})
    known = lake.engine.scan(str(tmp_path / "customers"))
    rule = {"name": "known", "condition": "id in customers.id", "severity": "warning"}
    done = lake.load(lake.config(columns=COLUMNS, validation_rules=[rule]), customers=known)
    assert done.outcomes[0].failed_rows == 1


def test_a_step_that_names_no_column_is_refused_with_the_nearest(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    with pytest.raises(LakeError, match=r"no column 'amuont'; did you mean 'amount'\?"):
        lake.load(lake.config(columns=COLUMNS, transformation_steps=[{"type": "trim", "columns": ["amuont"]}]))
    assert not delta.exists(lake.tables.silver)


def test_the_internal_row_number_is_no_column_of_the_table(lake: Lake) -> None:
    lake.write("a.csv", "id,amount,day\n1,10,2024-01-01\n")
    done = lake.load(
        lake.config(columns=COLUMNS, validation_rules=[{"name": "three", "condition": "column_count == 3"}])
    )
    assert not done.blocked
    assert delta.schema(lake.tables.silver).names() == ["id", "amount", "day"]


def test_partitions_and_instants_are_written_as_declared(lake: Lake) -> None:
    lake.write("a.csv", "id,at\n1,2024-01-01T10:00:00+02:00\n")
    lake.load(lake.config(columns={"id": "int", "at": "datetime"}, partitioning_columns=["id"]))
    assert delta.scan(lake.tables.silver).collect()["at"].to_list() == [datetime(2024, 1, 1, 8, tzinfo=UTC)]


def test_a_source_without_a_key_is_told_apart_by_the_file_and_place_of_its_rows(lake: Lake) -> None:
    arrival = {"_source_file": "file", "_row_id": "row", "_ingested_at": "seen_at"}
    config = lake.config(columns={"amount": "float"}, arrival_columns=arrival, primary_keys=["file", "row"])
    lake.write("a.csv", "amount\n1\n1\n")
    lake.load(config)
    lake.write("b.csv", "amount\n1\n")
    lake.load(config)
    silver = delta.scan(lake.tables.silver).sort("file", "row").collect()
    assert silver.select("file", "row").rows() == [("a.csv", 0), ("a.csv", 1), ("b.csv", 0)]
    assert silver["seen_at"].is_sorted()
    assert silver.columns == ["amount", *arrival.values()]
