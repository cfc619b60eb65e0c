"""Transformers of scikit-learn that a document names: found, checked and made."""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_assets.config import feature_transforms as declared
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.problems import did_you_mean
from mlops_assets.features.errors import FeatureError


def named_transformer(spec: declared.SklearnTransform, column: str, seed: int) -> Any:
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
    wanting = [each for each in _required_arguments(arguments) if each not in spec.parameters]
    if wanting:
        raise FeatureError(f"{where}: '{name}' needs {', '.join(wanting)} in its parameters")
    seeded = {"random_state": seed} if "random_state" in arguments else {}
    return _column_transformer(
        _validated(found(**{**seeded, **_lists_as_tuples(found, spec.parameters)}), where), where
    )


def _lists_as_tuples(found: type[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, lists as tuples where a constructor takes nothing else: YAML has no tuples."""
    takes = {name: list(each) for name, each in getattr(found, "_parameter_constraints", {}).items()}
    return {
        name: tuple(value) if isinstance(value, list) and tuple in takes.get(name, ()) else value
        for name, value in parameters.items()
    }


def _column_transformer(made: Any, where: str) -> Any:
    """A transformer that takes a table of one column. Raises FeatureError for one that takes something else."""
    from sklearn.utils import get_tags

    from mlops_assets.features.transformers import Vectorized

    if hasattr(made, "build_analyzer"):
        return Vectorized(made)
    if not get_tags(made).input_tags.two_d_array:
        raise FeatureError(
            f"{where}: {type(made).__name__} takes labels, mappings or pictures, no column of features; "
            "ordinal_encode, one_hot_encode and hash take one"
        )
    return made


def _required_arguments(arguments: Mapping[str, inspect.Parameter]) -> list[str]:
    """The arguments that a constructor cannot do without."""
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, each in arguments.items() if each.default is each.empty and each.kind not in starred]


def _validated(made: Any, where: str) -> Any:
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
                    named_transformer(spec, column, seed=0)
                except FeatureError as error:
                    yield str(error)


def unknown_arguments(known: Sequence[str], given: Sequence[str], where: str) -> None:
    """Raises FeatureError for the first given argument a constructor does not take, with the nearest."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"it takes {', '.join(known)}"
            raise FeatureError(f"{where}: unknown parameter '{name}'; {hint}")
