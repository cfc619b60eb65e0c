import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring.loss_estimates import TOO_FEW, loss_estimates


def rows(seed: int, far: float = 0.0, count: int = 4000) -> pl.DataFrame:
    """Predictions whose error grows with `x`, three times as much in the country as in town."""
    random = np.random.default_rng(seed)
    x, place = random.random(count) + far, random.choice(["town", "country"], count)
    spread = x * np.where(place == "country", 3.0, 1.0)
    return pl.DataFrame({"x": x, "place": place, "prediction": x, "late": x + random.normal(scale=spread)})


def estimated(now: pl.DataFrame, before: pl.DataFrame, metrics: tuple[str, ...]) -> dict[str, float | None]:
    found = loss_estimates(now, before, label="late", features=["x", "place"], metrics=metrics, least=500)
    return {one.name: one.value for one in found}


def actual(frame: pl.DataFrame) -> dict[str, float]:
    error = (frame["late"] - frame["prediction"]).to_numpy()
    mse = float((error**2).mean())
    return {"estimated_mae": float(np.abs(error).mean()), "estimated_mse": mse, "estimated_rmse": mse**0.5}


def test_the_loss_of_rows_without_labels_is_what_it_turns_out_to_be() -> None:
    before, now = rows(0), rows(1)
    found = estimated(now.drop("late"), before, ("mae", "mse", "rmse"))
    assert found == {name: pytest.approx(value, rel=0.1) for name, value in actual(now).items()}


@pytest.mark.parametrize("place", ["town", "country"])
def test_inputs_that_change_change_the_estimate(place: str) -> None:
    now = rows(1).filter(pl.col("place") == place)
    found = estimated(now.drop("late"), rows(0), ("mae",))
    assert found["estimated_mae"] == pytest.approx(actual(now)["estimated_mae"], rel=0.12)


def test_an_estimate_is_blind_to_what_the_inputs_mean() -> None:
    now = rows(1)
    worse = now.with_columns(late=pl.col("late") + 10)
    assert estimated(worse, rows(0), ("mae",)) == estimated(now, rows(0), ("mae",))


def test_of_too_few_labels_nothing_is_estimated_and_why_is_said() -> None:
    unlabelled = rows(0).with_columns(late=pl.lit(None, pl.Float64))
    (found,) = loss_estimates(rows(1), unlabelled, label="late", features=["x"], metrics=["rmse"], least=500)
    assert (found.name, found.value, found.reason) == ("estimated_rmse", None, TOO_FEW)
