"""One declared transformation, or one column's default, as scikit-learn steps."""

from typing import Any

import polars as pl

from mlops_assets.config import feature_transforms as declared
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.named import named_transformer


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
            return [named_transformer(spec, column, seed)]
        case declared.OrdinalEncode() if spec.categories and kind != "text":
            return [own.AsObjects(), _sklearn_steps(spec, kind, seed)]
    return [_sklearn_steps(spec, kind, seed)]


def _sklearn_steps(spec: declared.TransformSpec, kind: str, seed: int) -> Any:
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
