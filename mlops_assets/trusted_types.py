"""Which types a skops model file may hold, and the only way this package loads one.

skops trusts scikit-learn's public estimators by itself; what it does not know it reports by name. Those names
are allowed here by package, never by what the file says of itself. Tree nodes are plain indices that
scikit-learn follows without a bounds check, so a loaded model's trees are checked before they predict.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_assets.loading import without_garbage_collection

PACKAGES = ("sklearn.", "scipy.sparse.", "scipy.interpolate.", "scipy.spatial.", "mlops_assets.features.")
NAMES = frozenset(
    {
        *(f"builtins.{name}" for name in ("bytes", "bytearray", "complex", "frozenset", "slice", "range")),
        *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(f"numpy.{name}" for name in ("dtype", "mean", "median", "ndarray")),
        "collections.OrderedDict",
        "collections.defaultdict",
        "decimal.Decimal",
        # Boosting on categories keeps a partial of check_array; its function is judged by its name.
        "functools.partial",
        "sklearn.utils.validation.check_array",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
    }
)
# Their trees are bytes that the library's own reader takes apart: a model file of theirs is as safe as that reader, and
# as the registry that it comes from.
BOOSTERS = frozenset(
    {
        "lightgbm.basic.Booster",
        *(f"lightgbm.sklearn.{name}" for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker", "LGBMModel")),
        "xgboost.core.Booster",
        *(f"xgboost.sklearn.{name}" for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")),
    }
)
FUNCTION_MODULES = ("sklearn.feature_selection.", "sklearn.metrics.", "sklearn.cluster.")
REFUSED_MODULES = frozenset({"tests", "testing", "_testing", "datasets", "externals", "conftest"})


class UntrustedModelError(ValueError):
    """A model file holds types outside the allow-list, or trees whose nodes point outside themselves."""


def skops() -> Any:
    """The module skops.io, which imports all of scikit-learn when it is first asked (seconds)."""
    with without_garbage_collection():
        import skops.io
    return skops.io


def trusted_types(path: Path | str) -> list[str]:
    """The types of the skops file at `path` that skops does not trust by itself, all of them on the allow-list.

    It is what `mlflow.sklearn.log_model(skops_trusted_types=…)` takes. Raises UntrustedModelError naming the
    others.
    """
    names: list[str] = skops().get_untrusted_types(file=str(path))
    refused = [name for name in names if not is_trusted(name)]
    if refused:
        raise UntrustedModelError(
            f"{path} holds {', '.join(refused)}, which a model may not hold; "
            "allowed are scikit-learn, xgboost, lightgbm, sparse and spline types, plain values and "
            "mlops_assets.features."
        )
    return names


def load_model_file(path: Path | str) -> Any:
    """The estimator in a skops file, loaded only where every type in it is on the allow-list.

    Raises UntrustedModelError naming the types that are not.
    """
    estimator = skops().load(str(path), trusted=trusted_types(path))
    for name, problem in _broken_trees(estimator):
        raise UntrustedModelError(f"{path}: a {name} has {problem}; it was not written by scikit-learn.")
    return estimator


def is_trusted(name: str) -> bool:
    """Whether the dotted type `name` is allowed: a class of an allowed package, or a name listed here."""
    if name in NAMES or name in BOOSTERS:
        return True
    module, _, attribute = name.rpartition(".")
    if not name.startswith(PACKAGES) or REFUSED_MODULES.intersection(name.split(".")):
        return False
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    at_home = getattr(found, "__module__", "").split(".")[0] == module.split(".")[0]
    return at_home and (isinstance(found, type) or name.startswith(FUNCTION_MODULES))


def _broken_trees(estimator: object) -> Iterator[tuple[str, str]]:
    for tree, features in _trees(estimator, None, set()):
        problem = _histogram_problem(tree, features) if hasattr(tree, "nodes") else _tree_problem(tree, features)
        if problem:
            yield type(tree).__name__, problem


def _trees(value: object, features: int | None, seen: set[int]) -> Iterator[tuple[Any, int | None]]:
    """Every tree under `value` with the number of columns its nearest estimator takes."""
    import numpy as np

    if id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
        return
    seen.add(id(value))
    if type(value).__name__ in ("Tree", "TreePredictor"):
        yield value, features
        return
    children: list[object] = []
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, (list, tuple, set)) or (isinstance(value, np.ndarray) and value.dtype == object):
        children = list(value.ravel()) if isinstance(value, np.ndarray) else list(value)
    elif hasattr(value, "__dict__"):
        features = getattr(value, "n_features_in_", features)
        children = list(vars(value).values())
    for child in children:
        yield from _trees(child, features, seen)


def _tree_problem(tree: Any, features: int | None) -> str | None:
    inner = tree.children_left != -1
    return _node_problem(inner, tree.children_left[inner], tree.children_right[inner], tree.feature[inner], features)


def _histogram_problem(tree: Any, features: int | None) -> str | None:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    splits = nodes[inner]
    categories = splits["bitset_idx"][splits["is_categorical"] != 0]
    if (categories >= len(tree.raw_left_cat_bitsets)).any():
        return "a category set outside its list"
    return _node_problem(inner, splits["left"], splits["right"], splits["feature_idx"], features)


def _node_problem(inner: Any, left: Any, right: Any, feature: Any, features: int | None) -> str | None:
    """Children come after their parent and lie inside the tree (so no cycle), columns inside the table."""
    import numpy as np

    position, size = np.flatnonzero(inner), len(inner)
    for child in (left.astype("int64"), right.astype("int64")):
        if ((child <= position) | (child >= size)).any():
            return "a node whose child is not a later node"
    columns = feature.astype("int64")
    if (columns < 0).any() or (features is not None and (columns >= features).any()):
        return "a node that splits on a column the model does not take"
    return None
