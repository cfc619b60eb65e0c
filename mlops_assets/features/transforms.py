"""From a model's columns to the scikit-learn steps that make numbers of them, fitted inside the model.

A name in `feature_columns` is a raw column, with all outputs of its declared transformations, or one output
of a transformation (`contract_monthly`). What is not declared has a default: numbers pass, truth values
become 0 and 1, datetimes parts, and texts native categories where the estimator has them, else one-hot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from mlops_assets.config.feature_transforms import OneHotEncode, TransformSpec
from mlops_assets.config.problems import did_you_mean
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.steps import default_steps, kind_of, median, steps_of

Transformations = Mapping[str, Sequence[TransformSpec]]
_NEVER_NULL = frozenset({"one_hot_encode", "hash", "tfidf", "target_encode"})


@dataclass(frozen=True)
class Treatment:
    """What the estimator takes: NaN as it is, text categories as numbers (at most `categories`), the seed."""

    takes_nan: bool = True
    categories: int = 0
    seed: int = 0


@dataclass(frozen=True)
class FeatureSteps:
    """An unfitted ColumnTransformer and what it does.

    `inputs` are the raw columns in order; the first `categorical` outputs are native categories; columns in
    `imputed` get the training rows' median where they are null.
    """

    transformer: Any
    inputs: tuple[str, ...]
    categorical: int
    imputed: tuple[str, ...]


def feature_pipeline(
    feature_columns: Sequence[str],
    schema: Mapping[str, pl.DataType],
    transformations: Transformations,
    treatment: Treatment = Treatment(),
) -> FeatureSteps:
    """The steps from raw columns (a pandas frame with the columns of `inputs`) to numbers.

    Raises FeatureError naming a feature that is neither a column nor an output, and a type without a meaning.
    """
    from sklearn.compose import ColumnTransformer

    from mlops_assets.features.transformers import Categories

    wanted = resolve(feature_columns, schema, transformations)
    plain = {column: kind_of(column, schema[column]) for column in wanted if not transformations.get(column)}
    native = [each for each, kind in plain.items() if kind == "text" and treatment.categories]
    rest = [column for column in wanted if column not in native]
    blocks: list[tuple[str, Any, list[str]]] = []
    if native:
        blocks.append(("categories", Categories(treatment.categories), native))
    for _, group in groupby(rest, key=lambda column: _block(column, plain)):
        columns = list(group)
        steps = (
            default_steps(plain[columns[0]])
            if columns[0] in plain
            else _declared(columns[0], schema, transformations, wanted[columns[0]], treatment)
        )
        if not treatment.takes_nan and _may_be_null(columns[0], plain, transformations):
            steps = [*steps, median()]
        # By number: scikit-learn takes no name with two underscores, and none twice.
        blocks.append((f"columns_{len(blocks)}", _chain(steps), columns))
    imputed = () if treatment.takes_nan else tuple(each for each in rest if _may_be_null(each, plain, transformations))
    transformer = ColumnTransformer(blocks, remainder="drop", sparse_threshold=0, verbose_feature_names_out=False)
    return FeatureSteps(transformer, (*native, *rest), len(native), imputed)


def resolve(
    feature_columns: Sequence[str], schema: Mapping[str, pl.DataType], transformations: Transformations
) -> dict[str, list[str]]:
    """Raw column to the outputs wanted of it, empty for all, in the order of `feature_columns`."""
    wanted: dict[str, list[str]] = {}
    for name in feature_columns:
        column = source_of(name, schema, transformations)
        if column == name:
            wanted[column] = []
        elif wanted.setdefault(column, [name]):
            wanted[column] = list(dict.fromkeys([*wanted[column], name]))
    return wanted


def source_of(name: str, schema: Mapping[str, pl.DataType], transformations: Transformations) -> str:
    """The raw column a feature is, or is made from."""
    if name in schema:
        return name
    outputs = {
        output: column
        for column, specs in transformations.items()
        for spec in specs
        if isinstance(spec, OneHotEncode)
        for output in spec.output_columns
    }
    if name in outputs and outputs[name] in schema:
        return outputs[name]
    made_of = [column for column in transformations if column in schema and name.startswith(f"{column}_")]
    if made_of:
        return max(made_of, key=len)
    hint = did_you_mean(name, [*schema, *outputs]) or f"columns are {', '.join(schema)}"
    raise FeatureError(f"feature_columns: '{name}' is no column and no output of a transformation; {hint}")


def _declared(
    column: str,
    schema: Mapping[str, pl.DataType],
    transformations: Transformations,
    keep: Sequence[str],
    treatment: Treatment,
) -> list[Any]:
    from mlops_assets.features.transformers import Chosen

    kind = kind_of(column, schema[column])
    steps = [step for spec in transformations[column] for step in steps_of(spec, column, kind, treatment.seed)]
    first = [] if kind in ("text", "datetime") else default_steps(kind)
    chain = _chain([*first, *steps])
    return [Chosen(chain, column, list(keep))] if keep else [*first, *steps]


def _block(column: str, plain: Mapping[str, str]) -> tuple[str, str]:
    """The key by which neighbouring columns with the same steps are grouped; single-column steps are not grouped."""
    kind = plain.get(column, "")
    return (kind, "" if kind in ("number", "truth", "text") else column)


def _may_be_null(column: str, plain: Mapping[str, str], transformations: Transformations) -> bool:
    if column in plain:
        return plain[column] != "text"
    last = transformations[column][-1].type
    return last not in _NEVER_NULL and "impute" not in {spec.type for spec in transformations[column]}


def _chain(steps: Sequence[Any]) -> Any:
    from sklearn.pipeline import make_pipeline

    if not steps:
        return "passthrough"
    return steps[0] if len(steps) == 1 else make_pipeline(*steps)
