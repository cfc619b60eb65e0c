"""One declared transformation, or one column's default, as scikit-learn steps."""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from mlops_assets.config import feature_transforms as declared
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.problems import did_you_mean
from mlops_assets.features.errors import FeatureError


def kind_of(column: str, dtype: pl.DataType) -> str:
    """number, truth, text or datetime. Raises FeatureError for lists, structs and the like."""
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "truth"
    if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum)):
        return "text"
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return "datetime"
    raise FeatureError(
        f"feature '{column}' is a {dtype}; a model takes numbers, texts, truth values, dates and datetimes: "
        "explode or derive it in its data document"
    )


def default_steps(kind: str) -> list[Any]:
    """The steps of a column without a declared transformation; none for numbers, which pass as they are."""
    from sklearn.preprocessing import OneHotEncoder

    from mlops_assets.features.transformers import AsFloat, DatetimeParts

    match kind:
        case "number":
            return []
        case "truth":
            return [AsFloat()]
        case "datetime":
            return [DatetimeParts(["month", "dayofweek", "hour"])]
    return [OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=255, sparse_output=False)]


def steps_of(spec: declared.TransformSpec, column: str, kind: str, seed: int) -> list[Any]:
    """The scikit-learn steps of one declared transformation of `column`, which holds `kind`."""
    from mlops_assets.features import transformers as own

    match spec:
        case declared.OneHotEncode():
            return [own.OneHot(list(spec.categories), list(spec.output_columns))]
        case declared.Log():
            return [own.Log1p()]
        case declared.Bucketize():
            return [own.Buckets(spec.n_bins, list(spec.edges))]
        case declared.Clip():
            return [own.Clip(spec.lower, spec.upper)]
        case declared.HashFeatures():
            return [own.HashColumns(spec.n_features)]
        case declared.DatetimeParts():
            return [own.DatetimeParts(list(spec.parts))]
        case declared.TextLength():
            return [own.TextLength()]
        case declared.Tfidf():
            return [own.Words(spec.max_features)]
        case declared.Polynomial():
            return _powers(spec)
        case declared.SklearnTransform():
            return [_by_name(spec, column, seed)]
    return [_of_scikit_learn(spec, kind, seed)]


def _of_scikit_learn(spec: declared.TransformSpec, kind: str, seed: int) -> Any:
    import numpy as np
    from sklearn import impute, preprocessing
    from sklearn.model_selection import KFold

    match spec:
        case declared.OrdinalEncode():
            return preprocessing.OrdinalEncoder(
                categories=[list(spec.categories)] if spec.categories else "auto",
                handle_unknown="use_encoded_value",
                unknown_value=-1,
                encoded_missing_value=-1,
            )
        case declared.TargetEncode():
            folds = KFold(5, shuffle=True, random_state=seed)
            return preprocessing.TargetEncoder(smooth=spec.smooth, cv=folds)
        case declared.Scaling():
            return _scaler(spec.method, seed)
        case declared.Power():
            return preprocessing.PowerTransformer(method=spec.method.replace("_", "-"))
        case declared.Impute():
            missing = None if kind == "text" else np.nan
            return impute.SimpleImputer(
                missing_values=missing,
                strategy=spec.strategy,
                fill_value=spec.fill_value,
                keep_empty_features=True,
            )
    raise FeatureError(f"no step is known for a transformation '{spec.type}'")


def _powers(spec: declared.Polynomial) -> list[Any]:
    """Powers of a number; a null, which scikit-learn refuses here, is the training rows' median."""
    from sklearn.preprocessing import PolynomialFeatures

    powers = PolynomialFeatures(spec.degree, interaction_only=spec.interaction_only, include_bias=False)
    return [median(), powers]


def median() -> Any:
    """Puts the training rows' median where a number is null; 0 where all are."""
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def _scaler(method: str, seed: int) -> Any:
    from sklearn import preprocessing

    match method:
        case "min_max":
            return preprocessing.MinMaxScaler()
        case "robust":
            return preprocessing.RobustScaler()
        case "quantile":
            return preprocessing.QuantileTransformer(random_state=seed)
    return preprocessing.StandardScaler()


def _by_name(spec: declared.SklearnTransform, column: str, seed: int) -> Any:
    """An instance of that class of scikit-learn. Raises FeatureError for unknown names and arguments."""
    module, _, name = spec.transformer.rpartition(".")
    where = f"feature_transformations.{column}.transformer"
    try:
        home = importlib.import_module(module)
    except ImportError as error:
        raise FeatureError(f"{where}: there is no module '{module}'") from error
    try:
        found = getattr(home, name, None)
    except ImportError as error:
        raise FeatureError(f"{where}: scikit-learn does not give '{name}': {str(error).splitlines()[0]}") from error
    if not (isinstance(found, type) and hasattr(found, "transform")):
        hint = "" if found is not None else did_you_mean(name, dir(home))
        raise FeatureError(f"{where}: '{spec.transformer}' is no transformer of scikit-learn; {hint}".rstrip("; "))
    arguments = inspect.signature(found).parameters
    unknown_arguments(list(arguments), list(spec.parameters), where)
    wanting = [each for each in _required(arguments) if each not in spec.parameters]
    if wanting:
        raise FeatureError(f"{where}: '{name}' needs {', '.join(wanting)} in its parameters")
    seeded = {"random_state": seed} if "random_state" in arguments else {}
    return _valid(found(**{**seeded, **spec.parameters}), where)


def _required(arguments: Mapping[str, inspect.Parameter]) -> list[str]:
    """The arguments that a constructor cannot do without."""
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, each in arguments.items() if each.default is each.empty and each.kind not in starred]


def _valid(made: Any, where: str) -> Any:
    """Itself. Raises FeatureError where scikit-learn's own check refuses an argument's value."""
    try:
        if hasattr(made, "_parameter_constraints"):
            made._validate_params()
    except ValueError as error:
        raise FeatureError(f"{where}: {error}") from error
    return made


def check_transformers(config: FeatureConfig) -> Iterator[str]:
    """What is wrong with the transformers of scikit-learn that a document names, one sentence each, without data."""
    for column, specs in config.feature_transformations.items():
        for spec in specs:
            if isinstance(spec, declared.SklearnTransform):
                try:
                    _by_name(spec, column, seed=0)
                except FeatureError as error:
                    yield str(error)


def unknown_arguments(known: Sequence[str], given: Sequence[str], where: str) -> None:
    """Raises FeatureError for the first given argument a constructor does not take, with the nearest."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"it takes {', '.join(known)}"
            raise FeatureError(f"{where}: unknown parameter '{name}'; {hint}")
