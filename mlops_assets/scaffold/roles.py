"""Roles of a table's columns: target, key, time and features, and why others have no role."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import polars as pl

from mlops_assets.config.problems import did_you_mean
from mlops_assets.scaffold.errors import ScaffoldError

TARGETS = (
    *("target", "label", "class", "y", "outcome", "churn", "churned", "survived", "default", "fraud", "species"),
    *("price", "diagnosis", "response", "result"),
)
PERSONAL = re.compile(r"e_?mail|phone|mobile|ssn|iban|passport|surname|last_?name|first_?name|full_?name|address", re.I)
KEY = re.compile(r"(^|_)(id|key|uuid|guid|code|number|no)$|id$", re.I)
FEW_CLASSES, MOST_CLASSES = 20, 100
TEXT_SHARE = 0.5
SAME = 0.9999
LEAK_VALUES = 50
COMMA = "its numbers have a decimal comma; write 2.5 for 2,5"


@dataclass(frozen=True)
class Roles:
    """The columns by what they are for. Where `key` or `time` is empty the table has none of its own.

    `task` is classification or regression, `classes` the number of the target's values; `left_out` says why a column
    is no feature, `sensitive` are those whose values must not be shown.
    """

    target: str
    task: str
    classes: int
    key: tuple[str, ...]
    time: str
    features: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()
    guessed: bool = False


def roles_of(frame: pl.DataFrame, target: str | None) -> Roles:
    """What the columns of a typed frame are for; `target` is guessed where it is not given.

    Raises:
        ScaffoldError: there is no such target, it holds one value only, or no column is left to learn from.
    """
    goal = _target(frame, target)
    task, classes = _task(frame[goal])
    time = _time(frame, goal)
    key = _key(frame, goal, time)
    taken = {goal, time, *key}
    left_out = dict(_no_features(frame, goal, task, taken))
    features = tuple(name for name in frame.columns if name not in taken and name not in left_out)
    if not features:
        reason = "; ".join(left_out.values()) or "the table has no other columns than a key and a time"
        raise ScaffoldError(f"no column is left to predict '{goal}' from: {reason}")
    sensitive = tuple(name for name in frame.columns if _is_personal(frame[name]))
    return Roles(goal, task, classes, key, time, features, left_out, sensitive, guessed=target is None)


def _target(frame: pl.DataFrame, named: str | None) -> str:
    if named is None:
        lower = {name.lower(): name for name in reversed(frame.columns)}
        return next((lower[name] for name in TARGETS if name in lower), frame.columns[-1])
    if named not in frame.columns:
        hint = did_you_mean(named, frame.columns) or f"the columns are {', '.join(frame.columns)}"
        raise ScaffoldError(f"the table has no column '{named}' to predict; {hint}")
    return named


def _task(column: pl.Series) -> tuple[str, int]:
    """Classification where the values are classes, regression where they are numbers; and how many differ."""
    distinct = column.drop_nulls().n_unique()
    if distinct < 2:
        raise ScaffoldError(f"'{column.name}' has {'one value only' if distinct else 'no value'}: nothing to predict")
    if column.dtype.is_numeric():
        whole = column.dtype.is_integer() and distinct <= FEW_CLASSES
        return ("classification", distinct) if whole or distinct == 2 else ("regression", distinct)
    if column.dtype.is_temporal() or distinct > min(MOST_CLASSES, column.len() // 2):
        hint = COMMA if _has_decimal_comma(column) else "name another --target"
        raise ScaffoldError(f"'{column.name}' has {distinct} different values and is no number: {hint}")
    return "classification", distinct


def _time(frame: pl.DataFrame, target: str) -> str:
    """The instant or date with the most different values among those that are never null."""
    found = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_temporal() and name != target and not frame[name].null_count() and frame[name].n_unique() > 1
    ]
    return max(found, key=lambda name: frame[name].n_unique(), default="")


def _key(frame: pl.DataFrame, target: str, time: str) -> tuple[str, ...]:
    """One column that tells rows apart and looks like a key, or else up to three with the time; empty where none do."""
    options = [name for name, dtype in frame.schema.items() if name != target and not frame[name].null_count()]
    exact = [name for name in options if frame.schema[name].is_integer() or frame.schema[name] == pl.String]
    named = [name for name in exact if KEY.search(name)] + [name for name in exact[:1] if name == frame.columns[0]]
    for name in named:
        if frame[name].n_unique() == frame.height:
            return (name,)
    if not time:
        return ()
    if frame[time].n_unique() == frame.height:
        return (time,)
    texts = [name for name in exact if name in named or frame.schema[name] == pl.String]
    pairs = [set_ for size in (1, 2) for set_ in combinations(texts, size)]
    return next(((time, *each) for each in pairs if frame.select(time, *each).n_unique() == frame.height), ())


def _no_features(frame: pl.DataFrame, target: str, task: str, taken: set[str]) -> Iterator[tuple[str, str]]:
    for name in frame.columns:
        column = frame[name]
        if name in taken:
            continue
        if column.drop_nulls().n_unique() < 2:
            yield name, f"'{name}' has one value only"
        elif column.dtype.is_temporal():
            yield name, f"'{name}' is a time; what is known of it has to be derived"
        elif _has_decimal_comma(column):
            yield name, f"'{name}': {COMMA}"
        elif column.dtype == pl.String and column.n_unique() > max(2, column.len() * TEXT_SHARE):
            yield name, f"'{name}' is a text that differs from row to row"
        elif _is_personal(column):
            yield name, f"'{name}' looks personal"
        elif _gives_away(column, frame[target], task):
            yield name, f"'{name}' says what '{target}' is: a model would learn nothing else"


def _has_decimal_comma(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return False
    known = column.drop_nulls()
    numbers = known.str.contains(r"^\s*[+-]?\d+(,\d+)?\s*$")
    return bool(numbers.all() and known.str.contains(",", literal=True).any())


def _is_personal(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return False
    return bool(PERSONAL.search(column.name)) or bool(column.drop_nulls().str.contains(r"^\S+@\S+\.\S+$").mean() == 1.0)


def _gives_away(column: pl.Series, target: pl.Series, task: str) -> bool:
    """Whether a column determines the target: each of its few values goes with one class, or it is a multiple of it."""
    pair = pl.DataFrame({"column": column, "target": target}).drop_nulls()
    if task == "classification":
        values = pair["column"].n_unique()
        return values <= min(LEAK_VALUES, pair.height // 2) and pair.n_unique() == values
    if not column.dtype.is_numeric() or pair["column"].n_unique() < 2:
        return False
    return abs(float(pair.select(pl.corr("column", "target")).item())) > SAME
