"""Rows of every type that training takes are scored in batches, and what an endpoint is asked with before it serves."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops_assets.assets.rollouts import as_callers_send
from mlops_assets.config.endpoint_tests import GoldenRowsTest
from mlops_assets.features.frames import model_frame, signature_types
from mlops_assets.serving.batch import score
from mlops_assets.serving.endpoint_tests import Probe, run_tests
from mlops_assets.serving.model import ServedModel
from mlops_assets.serving.signature import Column, SignatureError, conform

ROWS = pl.DataFrame({"id": [1, 2, 3], "x": [Decimal("1.5"), Decimal("2.5"), Decimal("3.5")]})
INPUTS = tuple(Column(name, kind, True) for name, kind in signature_types(ROWS.schema, ["x"]))
FITTED = ROWS.select(pl.col("x").cast(pl.Float64)).to_pandas()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [(["no", "yes", "yes"], pl.String), ([False, True, True], pl.Float64), ([0, 1, 2], pl.Float64)],
)
def test_a_first_scoring_of_no_rows_has_the_types_of_one_with_rows(labels: list[Any], kind: type[pl.DataType]) -> None:
    model = ServedModel(LogisticRegression().fit(FITTED, labels), INPUTS)

    none, some = (score(model, rows, version="1", keep=["id"]) for rows in (ROWS.clear(), ROWS))

    assert none.schema == some.schema
    assert some.schema["prediction"] == kind
    assert (none.height, some["id"].to_list()) == (0, [1, 2, 3])


def test_no_rows_have_columns_of_every_kind() -> None:
    rows = pl.DataFrame({"number": [1.0], "truth": [True], "text": ["a"], "day": [date(2024, 1, 1)]})
    assert model_frame(rows.clear(), rows.columns).shape == (0, 4)


def test_a_decimal_is_scored_as_the_number_it_was_trained_as() -> None:
    model = ServedModel(LinearRegression().fit(FITTED, FITTED["x"] * 2), INPUTS)

    assert score(model, ROWS, version="1", keep=[])["prediction"].to_list() == pytest.approx([3, 5, 7])

    sent = as_callers_send(ROWS, ["x"])
    probe = Probe(lambda rows: model.predict(rows) and FITTED.assign(prediction=[3.0, 5.0, 7.0]), model, sent)
    (golden,) = run_tests(probe, [GoldenRowsTest(type="golden_rows")])
    assert golden.passed, golden.description


def test_rows_that_the_model_does_not_take_fail_a_test_and_no_run() -> None:
    model = ServedModel(LinearRegression().fit(FITTED, FITTED["x"]), INPUTS)
    probe = Probe(lambda rows: FITTED, model, ROWS.to_pandas())

    (golden,) = run_tests(probe, [GoldenRowsTest(type="golden_rows")])

    assert (golden.passed, "field 'x': row 0 is a Decimal" in golden.description) == (False, True)


@pytest.mark.parametrize("moment", [date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC)])
def test_moments_reach_the_model_as_they_are_and_one_that_is_missing_is_refused(moment: date) -> None:
    column = Column("at", "datetime", True)
    rows = as_callers_send(pl.DataFrame({"at": [moment, moment]}), ["at"])

    assert conform(rows, [column])["at"].tolist() == rows["at"].tolist()
    with pytest.raises(SignatureError, match="row 1 is null"):
        conform(as_callers_send(pl.DataFrame({"at": [moment, None]}), ["at"]), [column])
