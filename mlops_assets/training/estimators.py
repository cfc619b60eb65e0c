"""Which class an algorithm's name means, and whether hyperparameters fit it, without training."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from mlops_assets.config.problems import did_you_mean
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.transforms import Treatment
from mlops_assets.training.errors import TrainingError

SUPERVISED: Mapping[str, tuple[str, str]] = {
    "random_forest": ("sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.RandomForestRegressor"),
    "extra_trees": ("sklearn.ensemble.ExtraTreesClassifier", "sklearn.ensemble.ExtraTreesRegressor"),
    "gradient_boosting": (
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.GradientBoostingRegressor",
    ),
    "hist_gradient_boosting": (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
    ),
    "ada_boost": ("sklearn.ensemble.AdaBoostClassifier", "sklearn.ensemble.AdaBoostRegressor"),
    "bagging": ("sklearn.ensemble.BaggingClassifier", "sklearn.ensemble.BaggingRegressor"),
    "decision_tree": ("sklearn.tree.DecisionTreeClassifier", "sklearn.tree.DecisionTreeRegressor"),
    "logistic_regression": ("sklearn.linear_model.LogisticRegression", ""),
    "linear": ("sklearn.linear_model.LogisticRegression", "sklearn.linear_model.LinearRegression"),
    "linear_regression": ("", "sklearn.linear_model.LinearRegression"),
    "ridge": ("sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.Ridge"),
    "lasso": ("", "sklearn.linear_model.Lasso"),
    "elastic_net": ("", "sklearn.linear_model.ElasticNet"),
    "sgd": ("sklearn.linear_model.SGDClassifier", "sklearn.linear_model.SGDRegressor"),
    "k_nearest_neighbors": (
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.neighbors.KNeighborsRegressor",
    ),
    "svm": ("sklearn.svm.SVC", "sklearn.svm.SVR"),
    "mlp": ("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor"),
    "naive_bayes": ("sklearn.naive_bayes.GaussianNB", ""),
    "gaussian_process": (
        "sklearn.gaussian_process.GaussianProcessClassifier",
        "sklearn.gaussian_process.GaussianProcessRegressor",
    ),
    "dummy": ("sklearn.dummy.DummyClassifier", "sklearn.dummy.DummyRegressor"),
    "xgboost": ("xgboost.XGBClassifier", "xgboost.XGBRegressor"),
    "lightgbm": ("lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor"),
}
ALGORITHMS: Mapping[str, Mapping[str, str]] = {
    "classification": {name: pair[0] for name, pair in SUPERVISED.items() if pair[0]},
    "regression": {name: pair[1] for name, pair in SUPERVISED.items() if pair[1]},
    "clustering": {
        "kmeans": "sklearn.cluster.KMeans",
        "mini_batch_kmeans": "sklearn.cluster.MiniBatchKMeans",
        "gaussian_mixture": "sklearn.mixture.GaussianMixture",
    },
    "anomaly_detection": {
        "isolation_forest": "sklearn.ensemble.IsolationForest",
        "one_class_svm": "sklearn.svm.OneClassSVM",
        "elliptic_envelope": "sklearn.covariance.EllipticEnvelope",
    },
}
DEFAULTS: Mapping[str, str] = {
    "classification": "random_forest",
    "regression": "random_forest",
    "clustering": "kmeans",
    "anomaly_detection": "isolation_forest",
}
PATIENCE = 10  # rounds without a gain


def algorithm_path(config: TrainingConfig) -> str:
    """The dotted class of a document's algorithm. Raises TrainingError with the nearest name."""
    known = ALGORITHMS[config.model_type]
    name = config.algorithm or DEFAULTS[config.model_type]
    if "." in name:
        return name
    if name not in known:
        hint = did_you_mean(name, known) or f"known are {', '.join(known)}, or a dotted class"
        raise TrainingError(f"algorithm: unknown '{name}' for {config.model_type}; {hint}")
    return known[name]


def estimator_class(config: TrainingConfig) -> type[Any]:
    """The class of a document's algorithm. Raises TrainingError where it cannot be imported or cannot fit."""
    path = algorithm_path(config)
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise TrainingError(
            f"algorithm: '{path}' cannot be imported ({error}); install {module.split('.')[0]}"
        ) from error
    if found is None:
        names = dir(importlib.import_module(module))
        raise TrainingError(f"algorithm: {module} has no '{name}'; {did_you_mean(name, names)}".rstrip("; "))
    if not (isinstance(found, type) and hasattr(found, "fit") and hasattr(found, "predict")):
        raise TrainingError(f"algorithm: '{path}' is no estimator: it needs fit and predict")
    return found


def estimator(config: TrainingConfig) -> Any:
    """An unfitted estimator with the document's hyperparameters, and its seed where it takes one."""
    found = estimator_class(config)
    known = _parameters(found)
    for field, names in (("hyperparameters", config.hyperparameters), ("search_space", config.search_space)):
        for name in names:
            if hint := _unknown(name, found, known):
                raise TrainingError(f"{field}: {found.__name__} has no '{name}'; {hint}")
    seed = {"random_state": config.random_seed} if known is None or "random_state" in known else {}
    stopping = _early_stopping(found, known) if config.early_stopping else {}
    # LightGBM tells of every fit on the standard output.
    quiet = {"verbosity": -1} if found.__module__.startswith("lightgbm.") else {}
    return found(**{**seed, **quiet, **stopping, **config.hyperparameters})


def _unknown(name: str, found: type[Any], known: list[str] | None) -> str:
    """What would be right where a constructor does not take `name`; empty where it does, or takes any that is not
    nearly one of its own.
    """
    if known is not None:
        return "" if name in known else did_you_mean(name, known) or f"it takes {', '.join(known)}"
    named = list(found().get_params())
    return "" if name in named else did_you_mean(name, named)


def _early_stopping(found: type[Any], known: list[str] | None) -> dict[str, Any]:
    """The arguments that make an estimator stop when the part of its rows that it sets aside gets no better."""
    for name, value in (("early_stopping", True), ("n_iter_no_change", PATIENCE)):
        if name in (known or ()):
            return {name: value}
    raise TrainingError(
        f"early_stopping: {found.__name__} cannot stop early; hist_gradient_boosting, gradient_boosting, sgd "
        "and mlp can"
    )


def check_hyperparameters(config: TrainingConfig) -> list[str]:
    """What is wrong with a document's algorithm and hyperparameters, one sentence each, without training."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import get_tags

    try:
        made = estimator(config)
        kind = get_tags(made).estimator_type
        if hasattr(made, "_parameter_constraints"):
            made._validate_params()
    except (TrainingError, TypeError, ValueError, NotFittedError) as error:
        return [str(error) if isinstance(error, TrainingError) else f"hyperparameters: {error}"]
    if config.stretch_rows and not hasattr(made, "partial_fit"):
        return [f"stretch_rows: {stretch_rows_problem(made)}"]
    if field := unsupported_weights(config, made):
        return [f"{field}: {type(made).__name__} takes no weights"]
    wanted = {"classification": "classifier", "regression": "regressor"}.get(config.model_type)
    if wanted and kind not in (None, wanted):
        return [f"algorithm: '{algorithm_path(config)}' is a {kind}, and model_type is {config.model_type}"]
    return []


def stretch_rows_problem(made: Any) -> str:
    """Why `stretch_rows` cannot be used with an estimator."""
    return (
        f"{type(made).__name__} learns from all rows at once; sgd, mlp, naive_bayes and mini_batch_kmeans learn from "
        "one stretch after another"
    )


def unsupported_weights(config: TrainingConfig, made: Any) -> str:
    """The field that asks for weights although the estimator `made` takes none; empty if there is no such field."""
    from sklearn.utils.validation import has_fit_parameter

    asking = "sample_weight_column" if config.sample_weight_column else "class_balance"
    weighted = config.sample_weight_column or config.class_balance != "none"
    return asking if weighted and not has_fit_parameter(made, "sample_weight") else ""


def treatment_of(made: Any, seed: int) -> Treatment:
    """How the columns have to be prepared for an estimator: by scikit-learn's own tags and arguments."""
    from sklearn.utils import get_tags

    takes_nan = bool(get_tags(made).input_tags.allow_nan)
    own = made.get_params(deep=False).get("categorical_features", ())
    native = own in (None, "from_dtype") and hasattr(made, "max_bins")
    # One of the estimator's bins is for null, and one of ours for the categories that are too rare.
    return Treatment(takes_nan, min(made.max_bins, 255) - 1 if native else 0, seed)


def _parameters(found: type[Any]) -> list[str] | None:
    """Names a constructor takes; None where it takes any."""
    signature = inspect.signature(found).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.values()):
        return None
    return list(signature)
