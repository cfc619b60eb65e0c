"""The fast plan and what serves where there is none: the same answers as scikit-learn, whoever else asks."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from mlops_assets.serving.model import ServedModel, load_served_model
from mlops_assets.serving.plan import proof as plan_proof
from mlops_assets.serving.plan.proof import equal_in_company, with_proven_plan
from mlops_assets.serving.signature import Column
from mlops_assets.serving.workers.frames import Frame
from mlops_assets.serving.workers.worker import answers

NUMBERS, TEXTS = [f"n{place}" for place in range(24)], ["city", "plan"]
COLUMNS = (*(Column(name, "double", True) for name in NUMBERS), *(Column(name, "string", False) for name in TEXTS))
NAMES = [column.name for column in COLUMNS]


def rows(count: int = 300) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    numbers = {name: draw.normal(size=count) * 3 for name in NUMBERS}
    return pd.DataFrame({**numbers, **{name: draw.choice(["a", "b", "c"], count) for name in TEXTS}})


def served(final: Any, labels: Callable[[pd.DataFrame], Any], *middle: Any) -> ServedModel:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
    )
    frame = rows()
    return ServedModel(make_pipeline(columns, *middle, final).fit(frame, labels(frame)), COLUMNS)


def two(frame: pd.DataFrame) -> Any:
    return frame["n0"] + (frame["city"] == "a") > 0


def three(frame: pd.DataFrame) -> Any:
    return np.digitize(frame["n0"], [-1, 1])


def number(frame: pd.DataFrame) -> Any:
    return frame["n0"] * 2 + frame["n1"]


@pytest.mark.parametrize(
    ("final", "labels"),
    [
        (LogisticRegression(), two),
        (Ridge(), number),
        (HistGradientBoostingClassifier(max_iter=5), two),
        (HistGradientBoostingClassifier(max_iter=5), three),
        (HistGradientBoostingRegressor(max_iter=5), number),
    ],
)
def test_a_plan_that_is_proven_answers_to_the_bit_alone_and_in_company(final: Any, labels: Any) -> None:
    model = with_proven_plan(served(final, labels))
    assert model.plan is not None
    assert model.how == "fast plan, bit-equal on 2048 rows"
    asked = rows(50).astype(object).to_numpy().tolist()

    planned = model.answer(NAMES, asked)

    assert planned == [answer for row in asked for answer in ServedModel(model.estimator, COLUMNS).answer(NAMES, [row])]


def test_a_plan_that_differs_in_one_bit_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    original = served(Ridge(), number)
    real = plan_proof.plan_of

    def tampered(estimator: Any, columns: Any) -> Any:
        changed = deepcopy(estimator)
        weights = changed.steps[-1][1].coef_
        weights[0] = np.nextafter(weights[0], np.inf)
        return real(changed, columns)

    monkeypatch.setattr(plan_proof, "plan_of", tampered)

    model = with_proven_plan(original)

    assert model.plan is None
    assert "the fast plan differs in" in model.how


def test_what_a_plan_does_not_know_is_scikit_learns() -> None:
    model = with_proven_plan(served(LogisticRegression(), two, PolynomialFeatures(1)))

    assert (model.plan, model.how.partition(";")[0]) == (None, "scikit-learn: no fast plan for a PolynomialFeatures")


@pytest.mark.parametrize(
    ("final", "labels"), [(RandomForestClassifier(5), two), (LogisticRegression(), three), (Ridge(), number)]
)
def test_without_a_plan_an_answer_does_not_hang_on_who_else_asks(final: Any, labels: Any) -> None:
    model = with_proven_plan(served(final, labels, PolynomialFeatures(2, interaction_only=True)))
    assert model.plan is None
    assert model.together == equal_in_company(model)
    bodies = [json.dumps({"instances": [row]}).encode() for row in rows(60).astype(object).to_numpy().tolist()]
    requests = [Frame(place, 0, 0, body) for place, body in enumerate(bodies)]

    company = answers(model, requests)

    assert [frame.status for frame in company] == [200] * len(requests)
    assert company == [frame for request in requests for frame in answers(model, [request])]


def test_a_null_that_the_model_does_not_take_is_told_by_its_column(linear_path: Path) -> None:
    row = {"tenure": 3, "charges": None, "contract": None}
    body = json.dumps({"dataframe_records": [row]}).encode()

    (refused,) = answers(load_served_model(linear_path), [Frame(1, 0, 0, body)])

    told = json.loads(refused.body)
    assert refused.status == 400
    assert told["message"].endswith("there is a null in charges, contract.")
    assert told["details"][0]["field_violations"][0]["field"] == "charges"
