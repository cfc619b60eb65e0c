"""Checks a source against its model and says what is wrong in the words of the document."""

from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlops_assets.config.parsing.source import Path, Source
from mlops_assets.config.problems import UNKNOWN_FIELD, Problem, did_you_mean

M = TypeVar("M", bound=BaseModel)
SYNONYMS = {"partition_columns": "partitioning_columns", "partitioning_columns": "partition_columns"}
_ROUNDS = 3


def validate(model: type[M], source: Source, problems: list[Problem]) -> M | None:
    """The document as its model, or None after adding every problem.

    A number or truth value where the model wants text is taken as it is written: `version: 1.10` is "1.10".
    """
    data = source.data
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            texts = [_path(detail, data) for detail in details if detail["type"] == "string_type"]
            data = _copy(data)
            keys_last = sorted(texts, key=lambda path: path[-1] == "[key]")
            if not sum(_as_written(data, path, source) for path in keys_last):
                break
    found: dict[Path, Problem] = {}
    for detail in details:
        path = _path(detail, data)
        if field := detail.get("ctx", {}).get("field"):
            path = (*path, field)
        if not any(path[: len(refused)] == refused for refused, _ in source.problems):
            found.setdefault(path, _problem(detail, path, model, source))
    problems += found.values()
    return None


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def _path(detail: ErrorDetails, data: Any) -> Path:
    """Pydantic's location without the tags of unions: the path in the data itself."""
    path: list[str | int] = []
    location = detail["loc"]
    for position, part in enumerate(location, 1):
        name = part if not isinstance(data, dict) or part in data else SYNONYMS.get(str(part), part)
        is_absent = detail["type"] == "missing" and position == len(location)
        if _contains(data, name):
            data = data[name]
        elif part != "[key]" and not is_absent:
            continue
        path.append(name)
    return tuple(path)


def _contains(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def _as_written(data: Any, path: Path, source: Source) -> bool:
    """Puts the written text where a number or truth value (or a key) stands; False where it cannot."""
    for part in path[:-1] if path[-1] != "[key]" else path[:-2]:
        data = data[part]
    if path[-1] == "[key]":
        data[str(path[-2])] = data.pop(path[-2])
        return True
    text = source.place(path).text
    if not isinstance(data[path[-1]], bool | int | float) or text is None:
        return False
    data[path[-1]] = text
    return True


def _problem(detail: ErrorDetails, path: Path, model: type[BaseModel], source: Source) -> Problem:
    kind = detail["type"]
    place = source.place(path)
    position = place.shown
    if kind == "extra_forbidden" and place.key:
        position = place.key
    if kind.startswith("union_tag"):
        path = (*path, "type")
        position = source.place(path).shown
    message, hint = _wording(detail, model)
    if kind == "missing":
        hint = _indented_too_far(path, source)
        message = "required field has no value" if path in source.places else message
    return position.problem(path, message, hint)


def _indented_too_far(path: Path, source: Source) -> str:
    """Where a missing field stands one mapping further in, or nothing."""
    around: Any = source.data
    for part in path[:-1]:
        around = around[part]
    for name, value in around.items() if isinstance(around, dict) else ():
        if isinstance(value, dict) and path[-1] in value:
            line = source.place((*path[:-1], name, path[-1])).shown.line
            return f"line {line} has it inside '{name}': is it indented too far?"
    return ""


def _wording(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """What is wrong, and what would be right."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return UNKNOWN_FIELD, did_you_mean(str(detail["loc"][-1]), _fields_at(model, detail["loc"][:-1]))
    if kind == "refused":
        return str(context["text"]), str(context["hint"])
    if kind == "literal_error":
        return f"{given!r} is not one of {context['expected']}", did_you_mean(str(given), _quoted(context["expected"]))
    if kind == "union_tag_invalid":
        message = f"'{context['tag']}' is not one of {context['expected_tags']}"
        return message, did_you_mean(context["tag"], _quoted(context["expected_tags"]))
    if kind == "list_type" and isinstance(given, str):
        return _PHRASES[kind][0], f"write [{given}], or one '- a' per line"
    said = (detail["msg"][0].lower() + detail["msg"][1:]).replace("input", "value")
    return _PHRASES.get(kind, (said, ""))


_PHRASES = {
    "missing": ("required field is missing", ""),
    "union_tag_not_found": ("required field is missing", ""),
    "list_type": ("a list is needed", "write [a, b], or one '- a' per line"),
    "dict_type": ("a mapping is needed", "write 'name: value', one per line"),
    "model_type": ("a mapping of fields is needed", "write 'name: value', one per line"),
    "model_attributes_type": ("a mapping of fields is needed", "write 'name: value', one per line"),
    "string_type": ("a text is needed", ""),
    "string_too_short": ("must not be empty", ""),
    "int_parsing": ("a whole number is needed", ""),
    "int_type": ("a whole number is needed", ""),
    "int_from_float": ("a whole number is needed", ""),
    "float_parsing": ("a number is needed", ""),
    "float_type": ("a number is needed", ""),
    "finite_number": ("a finite number is needed", ""),
    "bool_parsing": ("true or false is needed", ""),
    "bool_type": ("true or false is needed", ""),
}


def _quoted(text: str) -> list[str]:
    return [part for part in text.split("'")[1::2] if part]


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The fields of the model that Pydantic's location leads to."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        tagged = [each for each in models if _tag(each) == part]
        inside = [
            each
            for one in models
            if part in one.model_fields
            for each in _models(one.model_fields[str(part)].annotation)
        ]
        models = tagged or inside or models
    return [name for each in models for name in each.model_fields]


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("type")
    return next(iter(get_args(field.annotation)), None) if field else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
