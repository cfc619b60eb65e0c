from typing import Any

import polars as pl
import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake import replay as replaying
from mlops_assets.lake.batch import Run
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.quarantine import waiting_rows
from mlops_assets.lake.refine import Refined
from mlops_assets.lake.replay import Overrides, replay
from mlops_assets_tests.lake.conftest import Lake

ORDERS = "id,amount,day\n1,10,2024-01-01\n2,-5,2024-01-02\n3,abc,2024-01-03\n4,-7,2024-01-04\n"
COLUMNS = {"id": "int", "amount": "float", "day": "date"}
POSITIVE = {"name": "positive", "condition": "amount > 0"}
MENDED = {"name": "positive", "condition": "amount > -6"}


def document(lake: Lake, rule: dict[str, str] = POSITIVE, **fields: Any) -> DataConfig:
    return lake.config(columns=COLUMNS, validation_rules=[rule], max_error_fraction=1, **fields)


def replayed(lake: Lake, config: DataConfig, **overrides: Any) -> Refined:
    return replay(config, lake.tables, Run("run-2"), {}, Overrides(**overrides))


def silver(lake: Lake) -> dict[int, float]:
    rows = delta.scan(lake.tables.silver).select("id", "amount").sort("id").collect()
    assert rows["id"].is_unique().all()
    return dict(rows.iter_rows())


def adds_up(lake: Lake, removed: int = 0) -> bool:
    rows = delta.rows(lake.tables.silver) + waiting_rows(lake.tables.quarantine) + removed
    return rows == delta.rows(lake.tables.bronze)


@pytest.fixture(params=[[], ["id"]], ids=["append", "merge"])
def keys(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


def test_rows_that_a_mended_rule_lets_through_enter_silver_once(lake: Lake, keys: list[str]) -> None:
    lake.write("a.csv", ORDERS)
    lake.load(document(lake, primary_keys=keys))
    done = replayed(lake, document(lake, MENDED, primary_keys=keys))
    assert silver(lake) == {1: 10, 2: -5}
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (3, 1, 2)
    again = replayed(lake, document(lake, MENDED, primary_keys=keys))
    assert silver(lake) == {1: 10, 2: -5}
    assert (again.rows.read, again.rows.written, again.rows.quarantined) == (2, 0, 2)
    assert adds_up(lake)


def test_a_released_rule_is_shown_and_stops_no_row(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    lake.load(document(lake))
    done = replayed(lake, document(lake), release=("positive",))
    assert silver(lake) == {1: 10, 2: -5, 4: -7}
    assert [outcome.failed_rows for outcome in done.outcomes] == [2]
    assert adds_up(lake)


def test_a_repair_gives_new_values_and_the_quarantine_keeps_what_arrived(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    lake.load(document(lake))
    replayed(lake, document(lake), where="id == '3'", repair={"amount": "'30'"})
    assert silver(lake) == {1: 10, 3: 30}
    row = delta.scan(lake.tables.quarantine).filter(pl.col("id") == "3").collect().row(0, named=True)
    assert (row["amount"], row["_failed_rules"]) == ("abc", ["amount_is_float"])
    assert (row["_replay"], row["_replayed_run"], row["_repair"]) == (1, "run-2", '{"amount": "\'30\'"}')
    assert waiting_rows(lake.tables.quarantine) == 2


@pytest.mark.parametrize("released", [(), ("positive",)])
def test_a_replay_that_was_killed_between_its_commits_is_finished_as_it_was_meant(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, keys: list[str], released: tuple[str, ...]
) -> None:
    config = document(lake, primary_keys=keys)
    lake.write("a.csv", ORDERS)
    lake.load(config)
    with monkeypatch.context() as killed:
        killed.setattr(replaying, "write_silver", _killed)
        with pytest.raises(KeyboardInterrupt):
            replayed(
                lake, config, where="id == '2'", repair={"amount": "'-1'" if released else "'6'"}, release=released
            )
    assert silver(lake) == {1: 10}
    for _ in range(2):
        replayed(lake, config)
        assert silver(lake) == {1: 10, 2: -1 if released else 6}
    assert adds_up(lake)


def test_a_row_whose_rule_was_made_stricter_after_a_kill_waits_on(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write("a.csv", ORDERS)
    lake.load(document(lake))
    with monkeypatch.context() as killed:
        killed.setattr(replaying, "write_silver", _killed)
        with pytest.raises(KeyboardInterrupt):
            replayed(lake, document(lake, {"name": "positive", "condition": "amount > -8"}))
    replayed(lake, document(lake, MENDED))
    assert silver(lake) == {1: 10, 2: -5}
    assert waiting_rows(lake.tables.quarantine) == 2
    assert adds_up(lake)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_row_whose_key_has_arrived_again_gives_way_to_the_newer_one(lake: Lake) -> None:
    config = document(lake, primary_keys=["id"])
    lake.write("a.csv", ORDERS)
    lake.load(config)
    lake.write("b.csv", "id,amount,day\n2,50,2024-02-01\n")
    lake.load(config)
    done = replayed(lake, config, release=("positive",))
    assert silver(lake) == {1: 10, 2: 50, 4: -7}
    assert done.rows.removed == {"merge": 1}
    assert adds_up(lake, removed=1)


def test_a_newer_row_in_quarantine_does_not_hold_an_older_one_back(lake: Lake) -> None:
    config = document(lake, primary_keys=["id"])
    lake.write("a.csv", "id,amount,day\n1,10,2024-01-01\n2,-5,2024-01-02\n2,-6,2024-01-02\n")
    lake.load(config)
    replayed(lake, config, where="amount == '-5'", release=("positive",))
    assert silver(lake) == {1: 10, 2: -5}
    replayed(lake, config, release=("positive",))
    assert silver(lake) == {1: 10, 2: -6}


def test_what_comes_after_a_replay_is_quarantined_as_before(lake: Lake) -> None:
    lake.write("a.csv", ORDERS)
    lake.load(document(lake))
    replayed(lake, document(lake, MENDED))
    lake.write("b.csv", "id,amount,day\n5,-50,2024-02-01\n6,60,2024-02-01\n")
    lake.load(document(lake, MENDED))
    assert silver(lake) == {1: 10, 2: -5, 6: 60}
    assert waiting_rows(lake.tables.quarantine) == 3
    assert adds_up(lake)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"release": ("positiv",)}, "no rule 'positiv' to release; did you mean 'positive'"),
        ({"release": ("id_is_a_key",)}, "'id_is_a_key' cannot be released"),
        ({"repair": {"amuont": "'1'"}}, "no column 'amuont' in the source; did you mean 'amount'"),
    ],
)
def test_an_override_that_names_nothing_is_refused(lake: Lake, overrides: dict[str, Any], message: str) -> None:
    config = document(lake, primary_keys=["id"])
    lake.write("a.csv", ORDERS)
    lake.load(config)
    with pytest.raises(LakeError, match=message):
        replayed(lake, config, **overrides)
    assert waiting_rows(lake.tables.quarantine) == 3


def test_a_table_without_a_quarantine_has_nothing_to_replay(lake: Lake) -> None:
    assert replayed(lake, document(lake)).rows.read == 0


def test_a_row_that_exploded_is_quarantined_and_replayed_as_a_whole(lake: Lake) -> None:
    steps = [{"type": "explode", "columns": ["tags"]}]
    rule = {"name": "short", "condition": "tags.str.len() < 2"}
    pl.DataFrame({"id": [1, 2], "tags": [["a", "bb"], ["c"]]}).write_parquet(lake.source / "a.parquet")
    fields: dict[str, Any] = {"format": "parquet", "transformation_steps": steps, "max_error_fraction": 1}
    done = lake.load(lake.config(**fields, validation_rules=[rule]))
    assert (done.rows.written, done.rows.quarantined) == (1, 1)
    assert done.rows.balanced
    again = replayed(lake, lake.config(**fields, validation_rules=[rule]), release=("short",))
    assert again.rows.balanced
    assert delta.scan(lake.tables.silver).sort("tags").collect()["tags"].to_list() == ["a", "bb", "c"]
