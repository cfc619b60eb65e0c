import polars as pl
import pytest
from sklearn import metrics

from mlops_assets.features.errors import FeatureError
from mlops_assets.features.frames import model_frame
from mlops_assets.training.fit import fit
from mlops_assets.training.slices import LARGEST, OTHERS, sliced
from mlops_assets_tests.training.documents import features, training, two_clouds

ROWS = two_clouds(900).with_columns(city=pl.Series(["Oslo", "Oslo", "Bergen", None] * 225))


def test_a_slices_metrics_are_those_of_its_held_out_rows() -> None:
    config = training(["x0", "x1"], algorithm="logistic_regression", slices=["city"], metrics=["accuracy"])
    fitted = fit(config, features(), ROWS)
    found = sliced(fitted)
    assert found["value"].to_list()[0] == "Oslo"
    assert set(found["value"]) == {"Oslo", "Bergen", None}
    assert found["rows"].sum() == fitted.held_out.height
    for row in found.iter_rows(named=True):
        part = fitted.held_out.filter(pl.col("city").eq_missing(row["value"]))
        said = fitted.pipeline.predict_proba(model_frame(part, fitted.inputs))[:, 1]
        assert row["roc_auc"] == pytest.approx(metrics.roc_auc_score(part["label"], said))
        assert row["accuracy"] == pytest.approx(metrics.accuracy_score(part["label"], said > 0.5))


def test_the_rest_of_many_values_is_one_slice_and_an_undefined_metric_null() -> None:
    config = training(["x0"], algorithm="logistic_regression", slices=["id"])
    fitted = fit(config, features(), ROWS)
    found = sliced(fitted)
    assert found.height == LARGEST + 1
    assert found["value"].to_list()[-1] == OTHERS
    assert found["rows"].sum() == fitted.held_out.height
    assert found["roc_auc"].null_count() == LARGEST


def test_without_slices_there_is_no_table() -> None:
    assert sliced(fit(training(["x0"], algorithm="logistic_regression"), features(), ROWS)).is_empty()


def test_a_slice_by_an_unknown_column_is_refused_with_the_nearest() -> None:
    fitted = fit(training(["x0"], algorithm="logistic_regression", slices=["citty"]), features(), ROWS)
    with pytest.raises(FeatureError, match=r"no column 'citty'; did you mean 'city'\?"):
        sliced(fitted)
