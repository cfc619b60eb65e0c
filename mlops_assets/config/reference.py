"""The reference of the documents, as Markdown, made from their models: a table of fields for each kind."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlops_assets.config.parsing.kinds import ALL_MODELS
from mlops_assets.config.schema import json_schema

Schema = Mapping[str, Any]
MANY = 8  # values of an enumeration that are named; editors list all
HEAD = "| field | type | default | meaning |\n|---|---|---|---|"


def reference_page(kind: str) -> str:
    """The page of one kind of document: its own fields, then those of everything it holds."""
    schema = json_schema(kind)
    inner = schema.get("$defs", {})
    parts = [f"# {kind.capitalize()} documents", _description(schema), _table(schema, inner)]
    for name, definition in inner.items():
        parts += [f"## {name}", _description(definition), _table(definition, inner)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_reference(folder: Path) -> list[Path]:
    """Writes `<kind>.md` for every kind of document; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {folder / f"{kind}.md": reference_page(kind) for kind in ALL_MODELS}
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return list(pages)


def _description(schema: Schema) -> str:
    return str(schema.get("description", ""))


def _table(schema: Schema, inner: Schema) -> str:
    required = schema.get("required", ())
    rows = [
        _row(name, _with_description(field, inner), name in required)
        for name, field in schema.get("properties", {}).items()
    ]
    return "\n".join([HEAD, *rows]) if rows else ""


def _with_description(field: Schema, inner: Schema) -> Schema:
    """The field with the description of what it refers to, where it has none of its own."""
    referred = inner.get(str(field.get("$ref", "")).rsplit("/", 1)[-1], {})
    return {"description": _description(referred), **field}


def _row(name: str, field: Schema, required: bool) -> str:
    default = "**required**" if required else _default(field)
    return f"| `{name}` | {_escaped(type_name(field))} | {default} | {_escaped(_description(field))} |"


def _default(field: Schema) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    items = value if isinstance(value, list) else [value] if value else []
    if any(isinstance(each, dict) for each in items):
        return "see below"
    words = {"None": "", "True": "`true`", "False": "`false`", "": '`""`'}
    return words.get(str(value), f"`{value}`")


def type_name(field: Schema) -> str:
    """The type of a field in words: `list of string`, `one of a, b`, `[Join](#join)`."""
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        named = ", ".join(f"`{each}`" for each in field["enum"][:MANY])
        return f"one of {named}" + (f" and {len(field['enum']) - MANY} more" if len(field["enum"]) > MANY else "")
    for many in ("anyOf", "oneOf"):
        if many in field:
            return " or ".join(dict.fromkeys(type_name(each) for each in _as_typed(field[many])))
    kinds = field.get("type", "anything")
    return _type_link(kinds, field) if isinstance(kinds, str) else " or ".join(kinds)


def _as_typed(options: list[Schema]) -> Iterator[Schema]:
    """What a person writes: neither null nor a form that only a pattern describes."""
    yield from (each for each in options if each.get("type") != "null" and [*each] != ["pattern"])


def _type_link(kind: str, field: Schema) -> str:
    match kind:
        case "array":
            return f"list of {type_name(field.get('items', {}))}"
        case "object":
            inner = field.get("additionalProperties")
            return f"mapping to {type_name(inner)}" if isinstance(inner, dict) else "mapping"
        case _:
            return kind


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
