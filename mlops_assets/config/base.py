"""Shared by the models of all documents: strictness, names, numbers and durations."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mlops_assets.config.problems import did_you_mean, one_of


class StrictModel(BaseModel):
    """A frozen model that refuses unknown fields; a field left blank (`tags:`) has its default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, validate_default=False
    )
    synonyms: ClassVar[dict[str, str]] = {}

    def with_fields(self, values: Mapping[str, Any]) -> Self:
        """This document with other values in some of its fields, validated again; unknown names are ignored."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        chosen = {name: value for name, value in values.items() if name in type(self).model_fields}
        return type(self).model_validate({**given, **chosen})

    @model_validator(mode="before")
    @classmethod
    def _canonical(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}
        return {cls._canonical_name(key, fields): value for key, value in fields.items()}

    @classmethod
    def _canonical_name(cls, key: Any, fields: dict[Any, Any]) -> Any:
        name = cls.synonyms.get(key, key)
        return key if name in fields else name


def refuse(message: str, hint: str = "", field: str = "") -> PydanticCustomError:
    """The error a validator raises: a message, a hint on what would be right and, for a whole model, the field."""
    return PydanticCustomError("refused", "{text}", {"text": message, "hint": hint, "field": field})


def refuse_unknown(what: str, name: str, known: Sequence[str]) -> PydanticCustomError:
    """The error for a name that is not among the known ones, with the nearest or else all of them."""
    return refuse(f"unknown {what} '{name}'", did_you_mean(name, known) or f"known are {one_of(known)}")


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise refuse("a number is needed, not true or false")
    return value


Whole = Annotated[int, BeforeValidator(_refuse_boolean)]
Number = Annotated[float, BeforeValidator(_refuse_boolean)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]
Scalar = str | bool | int | float | None

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PART = r"(\d+(?:\.\d+)?)"
_SHORT = re.compile(rf"(?:{_PART}\s*(ms|[wdhms])\s*)+", re.ASCII)
_SHORT_PART = re.compile(rf"{_PART}\s*(ms|[wdhms])", re.ASCII)
_ISO = re.compile(
    rf"P(?:{_PART}W)?(?:{_PART}D)?(?:T(?=\d)(?:{_PART}H)?(?:{_PART}M)?(?:{_PART}S)?)?",
    re.ASCII | re.IGNORECASE,
)
DURATION_HINT = "write 30m, 1h, 7d, 1h30m or ISO 8601 such as PT30M"


def parse_duration(value: Any) -> timedelta:
    """`30m`, `7d`, `1h30m` (units w d h m s ms) or ISO 8601 without years and months (`P7DT12H`)."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise refuse(f"{value!r} is no duration", DURATION_HINT)
    text = value.strip()
    iso = _ISO.fullmatch(text)
    if iso and any(iso.groups()):
        names = ("weeks", "days", "hours", "minutes", "seconds")
        return timedelta(**{name: float(part) for name, part in zip(names, iso.groups(), strict=True) if part})
    if not _SHORT.fullmatch(text):
        raise refuse(f"'{value}' is no duration", DURATION_HINT)
    return sum((timedelta(**{_UNITS[unit]: float(n)}) for n, unit in _SHORT_PART.findall(text)), timedelta())


def format_duration(value: timedelta) -> str:
    """The short form of a duration, `1d12h30m`; it parses back to the same duration."""
    milliseconds = round(value / timedelta(milliseconds=1))
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0m"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "examples": ["30m", "1h", "7d", "1h30m", "PT30M"],
            "pattern": "^[0-9P][0-9a-zA-Z. ]*$",
        }
    ),
]

_ENVIRONMENTS = {
    "dev": "development",
    "development": "development",
    "staging": "staging",
    "prod": "production",
    "production": "production",
}


def normal_environment(value: Any) -> Any:
    """`dev` is `development`, `prod` is `production`; any other name is refused with the nearest one."""
    name = _ENVIRONMENTS.get(value.lower()) if isinstance(value, str) else None
    if name is None:
        raise refuse_unknown("environment", str(value), list(_ENVIRONMENTS))
    return name


Environment = Annotated[
    str, BeforeValidator(normal_environment), WithJsonSchema({"type": "string", "enum": list(_ENVIRONMENTS)})
]


def unique_name(base: str, taken: set[str]) -> str:
    """`base`, or `base_2`, `base_3` and so on where that is taken; the name is added to `taken`."""
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXTENSION = re.compile(r"\.(delta|parquet|csv|json|jsonl|ndjson)(\.gz)?$", re.IGNORECASE)


def last_part(reference: str) -> str:
    """The table in a path or dotted name: `dbfs:/x/flights.delta` and `main.air.flights` are `flights`."""
    return re.split(r"[/.:\\]", _EXTENSION.sub("", reference.strip().rstrip("/")))[-1]


def check_table_name(reference: str) -> str:
    """Passes a path or dotted name whose last part is a valid table name."""
    name = last_part(reference)
    if not _TABLE.fullmatch(name):
        valid = re.sub(r"\W+", "_", name).strip("_")
        raise refuse(
            f"'{name}' is no table name: letters, digits and underscores, no digit first",
            f"'{valid}' would be right" if _TABLE.fullmatch(valid) else "",
        )
    return reference
