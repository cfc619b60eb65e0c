"""A silver table's columns and types as its document declares them: the source's, followed through the steps.

Mirrors what the steps do to rows, so that a mistake shows while documents load rather than in the middle of a run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.config.crosschecks.rule_problems import rule_problem
from mlops_assets.config.data import DataConfig
from mlops_assets.config.document import Document
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.transform_steps import (
    Cast,
    Derive,
    DropColumns,
    Explode,
    FillNull,
    Filter,
    Hash,
    Lower,
    ParseDate,
    RenameColumns,
    Split,
    Trim,
    Upper,
)
from mlops_assets.rules import RuleError, Schema, Type, check, infer, parse
from mlops_assets.rules import columns as columns_read
from mlops_assets.rules.types import BOOL, DATE, FLOAT, INSTANT, INT, STRING

ARRIVAL = {"_source_file": "string", "_ingested_at": "datetime", "_row_id": "int"}


@dataclass
class SilverSchema:
    """Column to type; where it is `open`, the source may have columns that are not declared. `problems` are what the
    steps ask that the columns cannot give.
    """

    document: Document[DataConfig]
    columns: Schema
    open: bool
    problems: list[Problem] = field(default_factory=list)

    def need(self, path: Path, column: str, *, key: bool = False) -> Type | None:
        """The type of a column that is named at `path` (as a key of a mapping there); a problem where there is none."""
        found = self.columns.get(column)
        if found is None and not self.open:
            self.refuse(path, f"no column '{column}'", did_you_mean(column, self.columns), key=key)
        return found

    def need_text(self, path: Path, column: str, what: str) -> None:
        """A problem where a column is there and is no string."""
        found = self.need(path, column)
        if found is not None and found.kind != "string":
            self.refuse(path, f"{what} takes text, and column '{column}' is {found}", "declare it as string")

    def refuse(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a problem of a field, or of the key at the end of its path."""
        place = self.document.source.place(path)
        at = place.key if key and place.key else place.shown
        self.problems.append(at.problem(path, message, hint))

    def type_of(self, path: Path, label: str, text: str, *, condition: bool) -> Type | None:
        """The type of an expression over the columns so far; a problem, and None, where it does not fit them."""
        if self.open and not columns_read(parse(text)) <= set(self.columns):
            return None
        try:
            return check(text, self.columns).root.type if condition else infer(text, self.columns)
        except RuleError as error:
            self.problems.append(rule_problem(self.document, path, label, error))
            return None


def declared_type(kind: str) -> Type:
    """The rule language's type of a document's column type."""
    known = {"int": INT, "float": FLOAT, "string": STRING, "bool": BOOL, "date": DATE, "datetime": INSTANT}
    return known.get(kind) or Type("decimal", precision=38, scale=9)


def silver_schema(document: Document[DataConfig]) -> SilverSchema | None:
    """What a document declares of its silver table, or None where it declares no `columns`."""
    config = document.config
    if not config.columns:
        return None
    columns = {name: declared_type(kind) for name, kind in config.columns.items()}
    schema = SilverSchema(document, columns, config.schema_evolution == "add")
    for own, name in config.arrival_columns.items():
        if name in columns:
            schema.refuse(("arrival_columns", own), f"there is already a column '{name}'", "take another name")
        columns[name] = declared_type(ARRIVAL[own])
    for index, step in enumerate(config.transformation_steps):
        _apply_step(schema, step, ("transformation_steps", index))
    return schema


def _apply_step(schema: SilverSchema, step: Any, at: Path) -> None:
    columns = schema.columns
    match step:
        case DropColumns():
            for path, name in _items(at, step.columns):
                schema.need(path, name)
                columns.pop(name, None)
        case RenameColumns():
            _rename(schema, step.mapping, (*at, "mapping"))
        case Cast():
            for name, kind in step.columns.items():
                schema.need((*at, "columns", name), name, key=True)
                columns[name] = declared_type(kind)
        case FillNull():
            for name, value in step.values.items():
                _fill(schema, (*at, "values", name), name, value)
        case Filter():
            schema.type_of((*at, "condition"), "filter", step.condition, condition=True)
        case Derive():
            for name, text in step.columns.items():
                found = schema.type_of((*at, "columns", name), f"column '{name}'", text, condition=False)
                _set_column(columns, name, found)
        case _:
            _apply_text_step(schema, step, at)


def _apply_text_step(schema: SilverSchema, step: Any, at: Path) -> None:
    """The steps on text, and those that make other columns of a column."""
    columns = schema.columns
    match step:
        case Trim() | Lower() | Upper():
            for path, name in _items(at, step.columns):
                schema.need_text(path, name, step.type)
        case ParseDate():
            for path, name in _items(at, step.columns):
                schema.need_text(path, name, step.type)
                columns[name] = declared_type("datetime" if step.datetime else "date")
        case Split():
            schema.need_text((*at, "column"), step.column, step.type)
            columns.update(dict.fromkeys(step.into, declared_type("string")))
        case Hash():
            for path, name in _items(at, step.columns):
                schema.need(path, name)
                columns[name] = declared_type("string")
        case Explode():
            for path, name in _items(at, step.columns):
                if (found := schema.need(path, name)) is not None:
                    schema.refuse(path, f"explode takes lists, and column '{name}' is {found}", "leave it undeclared")


def _items(at: Path, names: Iterable[str]) -> list[tuple[Path, str]]:
    return [((*at, "columns", index), name) for index, name in enumerate(names)]


def _rename(schema: SilverSchema, mapping: Mapping[str, str], at: Path) -> None:
    """All at once, as the step does: two columns may change places."""
    unchanged = {name: type_ for name, type_ in schema.columns.items() if name not in mapping}
    for old, new in mapping.items():
        found = schema.need((*at, old), old, key=True)
        if new in unchanged:
            schema.refuse((*at, old), f"there is already a column '{new}'", "drop it first")
        _set_column(unchanged, new, found)
    schema.columns = unchanged


def _set_column(columns: Schema, name: str, found: Type | None) -> None:
    if found is None:
        columns.pop(name, None)
    else:
        columns[name] = found


_FITTING: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "decimal": (int, float),
    "string": (str,),
    "bool": (bool,),
}


def _fill(schema: SilverSchema, path: Path, name: str, value: Any) -> None:
    found = schema.need(path, name, key=True)
    wanted = _FITTING.get(found.kind) if found else None
    if (
        wanted
        and value is not None
        and (not isinstance(value, wanted) or (isinstance(value, bool) != (bool in wanted)))
    ):
        schema.refuse(path, f"column '{name}' is {found}, which {value!r} is not")
