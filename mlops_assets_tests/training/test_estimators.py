import numpy as np
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.training.estimators import ALGORITHMS, check_hyperparameters, estimator
from mlops_assets.training.fit import fit
from mlops_assets_tests.model_files import through_a_file
from mlops_assets_tests.training.documents import features, training, two_clouds

NAMES = [(kind, name) for kind, known in ALGORITHMS.items() for name in known]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_short_name_is_an_estimator_of_its_kind(kind: str, name: str) -> None:
    assert check_hyperparameters(training(["x"], model_type=kind, algorithm=name)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_model_of_every_short_name_answers_from_its_file_as_before(kind: str, name: str) -> None:
    rows = two_clouds(120)
    target = "x2" if kind == "regression" else "label"
    fitted = fit(training(["x0", "x1"], model_type=kind, algorithm=name, target_column=target), features(), rows)
    kept = through_a_file(fitted.pipeline)
    table = model_frame(rows, fitted.inputs)
    np.testing.assert_array_equal(kept.predict(table), fitted.pipeline.predict(table))


def test_the_seed_reaches_the_estimator_and_a_hyperparameter_wins_over_it() -> None:
    assert estimator(training(["x"], random_seed=7)).random_state == 7
    assert estimator(training(["x"], random_seed=7, hyperparameters={"random_state": 42})).random_state == 42


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hyperparameters": {"max_dept": 3}}, "did you mean 'max_depth'?"),
        ({"hyperparameters": {"max_depth": -3}}, "'max_depth' parameter of RandomForestClassifier must be"),
        (
            {"algorithm": "sklearn.ensemble.RandomForestRegressor"},
            "is a regressor, and model_type is classification",
        ),
        ({"algorithm": "sklearn.ensemble.RandomForestClasifier"}, "did you mean 'RandomForestClassifier'?"),
        ({"algorithm": "no_such_package.Forest"}, "install no_such_package"),
        ({"algorithm": "lightgbm", "hyperparameters": {"learning_rat": 0.1}}, "did you mean 'learning_rate'?"),
        ({"algorithm": "xgboost", "hyperparameters": {"max_dept": 3}}, "did you mean 'max_depth'?"),
        ({"algorithm": "sklearn.preprocessing.StandardScaler"}, "is no estimator: it needs fit and predict"),
        ({"stretch_rows": 100}, "stretch_rows: RandomForestClassifier learns from all rows at once"),
        (
            {"algorithm": "k_nearest_neighbors", "class_balance": "balanced"},
            "class_balance: KNeighborsClassifier takes no",
        ),
    ],
)
def test_what_does_not_fit_is_said_without_training(fields: dict[str, object], message: str) -> None:
    (problem,) = check_hyperparameters(training(["x"], **fields))
    assert message in problem
