"""Name resolution: a name in a rule is a column, a struct's field, or a column of a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlops_assets.rules.errors import RuleError, nearest
from mlops_assets.rules.tree import COUNTS, Name
from mlops_assets.rules.typed import Column
from mlops_assets.rules.types import Schema, Type


@dataclass(frozen=True)
class Scope:
    """What a rule may refer to: its own table's schema and name, and the other tables' schemas."""

    text: str
    schema: Schema
    table: str | None = None
    tables: Mapping[str, Schema] = field(default_factory=dict)

    def error(self, message: str, start: int, end: int, hint: str = "") -> RuleError:
        """An error at a place of this rule."""
        return RuleError(message, self.text, start, end, hint)


def resolve(name: Name, scope: Scope) -> Column:
    """The column a name refers to; an error if there is none, or more than one."""
    found = list(dict.fromkeys(_readings(name.parts, scope)))
    if len(found) > 1:
        hint = f"write `{name.written}` for the column of that name, or rename one"
        raise scope.error(f"'{name.written}' is ambiguous", name.start, name.end, hint)
    if not found:
        raise _unknown(name, scope)
    return found[0]


def _readings(parts: tuple[str, ...], scope: Scope) -> Iterator[Column]:
    yield from _columns(parts, scope.schema)
    table = tuple(scope.table.split(".")) if scope.table else ()
    for owner in {table, table[-1:]} - {()}:
        if len(parts) > len(owner) and parts[: len(owner)] == owner:
            yield from _columns(parts[len(owner) :], scope.schema)


def _columns(parts: tuple[str, ...], schema: Schema) -> Iterator[Column]:
    for cut in range(len(parts), 0, -1):
        name = ".".join(parts[:cut])
        found = _field(schema.get(name), parts[cut:])
        if found is not None:
            yield Column(name, parts[cut:], found)


def _field(owner: Type | None, path: tuple[str, ...]) -> Type | None:
    if owner is None or not path:
        return owner
    return _field(dict(owner.fields).get(path[0]), path[1:])


def _unknown(name: Name, scope: Scope) -> RuleError:
    owner = scope.schema.get(name.parts[0])
    if len(name.parts) > 1 and owner is not None:
        if owner.kind != "struct":
            hint = "methods are written .str.contains('…')" if owner.kind == "string" else ""
            return scope.error(f"'{name.parts[0]}' is {owner} and has no fields", name.start, name.end, hint)
        known = [f"{name.parts[0]}.{n}" for n, _ in owner.fields]
        return scope.error(f"unknown field '{name.written}'", name.start, name.end, nearest(name.written, known))
    known = [*scope.schema, *COUNTS] if scope.schema else []
    return scope.error(f"unknown column '{name.written}'", name.start, name.end, nearest(name.written, known))


def resolve_foreign(name: Name, scope: Scope) -> tuple[str, str, Type]:
    """The table, column and type of the `t.c` in `x in t.c`."""
    found = list(_foreign(name.parts, scope))
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise scope.error(f"'{name.written}' is ambiguous", name.start, name.end, "use back-ticks")
    if len(name.parts) == 1:
        raise scope.error(f"'{name.written}' is no list", name.start, name.end, "write in [..] or in table.column")
    table, column = ".".join(name.parts[:-1]), name.parts[-1]
    if table in scope.tables:
        hint = nearest(column, scope.tables[table])
        raise scope.error(f"table '{table}' has no column '{column}'", name.start, name.end, hint)
    raise scope.error(f"unknown table '{table}'", name.start, name.end, nearest(table, scope.tables))


def _foreign(parts: tuple[str, ...], scope: Scope) -> Iterator[tuple[str, str, Type]]:
    for cut in range(1, len(parts)):
        table, column = ".".join(parts[:cut]), ".".join(parts[cut:])
        if column in scope.tables.get(table, {}):
            yield table, column, scope.tables[table][column]
