from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression, TweedieRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from mlops_assets.trusted_types import (
    UntrustedModelError,
    is_trusted,
    load_model_file,
)

ROWS = np.random.default_rng(0).uniform(0.1, 3, size=(80, 3)).round(1)
TARGET = (ROWS[:, 0] > 1.5).astype(int)
ESTIMATORS = [
    HistGradientBoostingClassifier(max_iter=3),
    HistGradientBoostingClassifier(max_iter=3, categorical_features=[1]),
    HistGradientBoostingRegressor(max_iter=3),
    RandomForestClassifier(3),
    RandomForestRegressor(3),
    ExtraTreesRegressor(3),
    GradientBoostingClassifier(n_estimators=3),
    LogisticRegression(),
    ElasticNet(),
    TweedieRegressor(power=0),
    KNeighborsClassifier(),
    MLPClassifier(max_iter=3),
    CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=3), cv=2),
    make_pipeline(TargetEncoder(cv=2), LogisticRegression()),
    make_pipeline(SimpleImputer(), SelectKBest(k=2), LogisticRegression()),
    make_pipeline(FunctionTransformer(np.log1p), ElasticNet()),
    make_pipeline(
        make_column_transformer(
            (StandardScaler(), [0]),
            (OneHotEncoder(handle_unknown="ignore"), [1]),
            (OrdinalEncoder(), [1]),
            (TargetEncoder(cv=2), [1]),
            (KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), [2]),
            (SplineTransformer(), [2]),
            remainder="passthrough",
        ),
        RandomForestClassifier(3),
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: str(estimator).split("\n")[0][:50])
def test_what_scikit_learn_fits_comes_back_and_predicts_the_same(estimator: object, tmp_path: Path) -> None:
    fitted = estimator.fit(ROWS, TARGET)
    skops.io.dump(fitted, tmp_path / "model.skops")

    loaded = load_model_file(tmp_path / "model.skops")

    assert loaded.predict(ROWS).tolist() == fitted.predict(ROWS).tolist()


def outside_the_package(values: object) -> object:
    return values


def test_a_function_from_elsewhere_is_refused_by_its_name(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(outside_the_package), ElasticNet()).fit(ROWS, TARGET)
    skops.io.dump(model, tmp_path / "model.skops")

    with pytest.raises(UntrustedModelError, match="outside_the_package"):
        load_model_file(tmp_path / "model.skops")


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "os.system",
        "subprocess.Popen",
        "numpy.load",
        "numpy.testing.runstring",
        "numpy.memmap",
        "scipy.stats._distn_infrastructure.rv_frozen",
        "sklearn.utils._testing.subprocess.Popen",
        "sklearn.datasets._openml.fetch_openml",
        "sklearn.externals.anything",
        "sklearn.base.clone",
        "sklearn.no_such_module.Class",
        "mlops_assets.serving.gateway.__main__.main",
    ],
)
def test_names_that_can_run_or_read_something_are_not_trusted(name: str) -> None:
    assert not is_trusted(name)


def test_a_forest_whose_nodes_point_outside_itself_is_refused(tmp_path: Path) -> None:
    model = RandomForestClassifier(2).fit(ROWS, TARGET)
    model.estimators_[1].tree_.children_left[0] = 10_000
    skops.io.dump(model, tmp_path / "model.skops")

    with pytest.raises(UntrustedModelError, match="Tree has a node whose child is not a later node"):
        load_model_file(tmp_path / "model.skops")


@pytest.mark.parametrize(("field", "value"), [("left", 0), ("right", 10_000), ("feature_idx", 3)])
def test_a_boosted_tree_with_a_cycle_or_a_foreign_index_is_refused(field: str, value: int, tmp_path: Path) -> None:
    model = make_pipeline(HistGradientBoostingRegressor(max_iter=2)).fit(ROWS, ROWS[:, 0])
    model[-1]._predictors[1][0].nodes[field][0] = value
    skops.io.dump(model, tmp_path / "model.skops")

    with pytest.raises(UntrustedModelError, match="TreePredictor has a node"):
        load_model_file(tmp_path / "model.skops")
