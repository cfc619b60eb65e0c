"""Suggested rules: what a table's rows already satisfy, as a first draft for its document."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl

from mlops_assets.rules.outcome import Rule
from mlops_assets.rules.tokens import KEYWORDS
from mlops_assets.rules.types import NUMBERS, TEMPORAL, Type, schema_of
from mlops_assets.rules.validation import validate

FEW = 12
ROWS_A_VALUE = 20
_EMAIL = r"^[^@ ]+@[^@ ]+\.[^@ ]+$"


def suggest(frame: pl.DataFrame) -> list[Rule]:
    """Rules on every plain column of a frame that all its rows satisfy; each is evaluated before it is suggested.

    Not-null and unique rules are errors; observed ranges and sets of values are warnings.
    """
    candidates = [rule for name, type_ in schema_of(frame).items() for rule in _candidates(frame[name], type_)]
    return [outcome.rule for outcome in validate(frame, candidates).outcomes if outcome.passed]


def as_yaml(rules: list[Rule]) -> str:
    """The rules as the `validation_rules` block of a data document."""
    import yaml

    fields = ("name", "condition", "severity", "description")
    block = {"validation_rules": [{field: getattr(rule, field) for field in fields} for rule in rules]}
    return yaml.safe_dump(block, sort_keys=False, allow_unicode=True, width=1000)


def _candidates(column: pl.Series, type_: Type) -> Iterator[Rule]:
    if type_.kind in {"struct", "list", "null", "other"} or column.is_empty():
        return
    word, name = _word(column.name), re.sub(r"\W+", "_", column.name).strip("_") or "column"
    known = column.fill_nan(None).drop_nulls() if type_.kind == "float" else column.drop_nulls()
    missing = column.len() - known.len()
    tail = f" or {word} is null" if missing else ""
    if missing:
        share = round(1.5 * missing / column.len() + 0.01, 2)
        if share < 1:
            yield Rule(f"{name}_null_rate", f"null_rate({word}) <= {share}", "warning", None, "Share of nulls as seen")
    else:
        yield Rule(f"{name}_not_null", f"{word} is not null", "error", None, "No null was seen")
    if known.is_empty():
        return
    if type_.kind in {"int", "string"} and not missing and known.len() > 1:
        yield Rule(f"{name}_unique", f"is_unique({word})", "error", None, "Every value was different")
    if type_.kind == "string":
        yield from _string_rules(known.cast(pl.String), word, name, tail)
    if type_.kind in NUMBERS:
        yield from _number_rules(known, word, name, tail)
    if type_.kind in TEMPORAL:
        yield Rule(f"{name}_past", f"{word} <= current_timestamp(){tail}", "warning", None, "Nothing in the future")
        yield Rule(f"{name}_since", f"{word} >= '{_moment(known.min())}'{tail}", "warning", None, "First seen")


def _string_rules(known: pl.Series, word: str, name: str, tail: str) -> Iterator[Rule]:
    distinct = known.unique().sort().to_list()
    if len(distinct) <= min(FEW, known.len() // ROWS_A_VALUE):
        listed = ", ".join(_quoted(value) for value in distinct)
        yield Rule(f"{name}_values", f"{word} in [{listed}]{tail}", "warning", None, "The values seen")
    elif known.str.contains(_EMAIL).all():
        yield Rule(f"{name}_email", f"{word}.str.contains('{_EMAIL}'){tail}", "warning", None, "Looks like e-mail")
    elif known.str.strip_chars().str.len_chars().min():
        yield Rule(f"{name}_not_blank", f"length({word}.str.strip()) > 0{tail}", "warning", None, "Never blank")


def _number_rules(known: pl.Series, word: str, name: str, tail: str) -> Iterator[Rule]:
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    if low >= 0 and high <= 1 and high > low:
        yield Rule(f"{name}_share", f"0 <= {word} <= 1{tail}", "warning", None, "Between 0 and 1 as seen")
    elif low >= 0:
        yield Rule(f"{name}_not_negative", f"{word} >= 0{tail}", "warning", None, "Never negative as seen")


def _word(name: str) -> str:
    plain = re.fullmatch(r"[^\W0-9]\w*", name) is not None
    reserved = KEYWORDS | {"null", "none", "true", "false", "row_count", "column_count"}
    return name if plain and name.lower() not in reserved else f"`{name}`"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ" if value.tzinfo else "%Y-%m-%dT%H:%M:%S")
    return value.isoformat() if isinstance(value, date) else str(value)
