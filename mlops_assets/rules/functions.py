"""The allow-list of functions, methods and properties, each with the types it takes and gives."""

from mlops_assets.rules import iso_time, regex
from mlops_assets.rules.comparisons import adopt, to_float
from mlops_assets.rules.names import Scope
from mlops_assets.rules.tree import AGGREGATES, Call, Literal, Method, Node
from mlops_assets.rules.typed import Column, Constant, Typed, apply, walk
from mlops_assets.rules.types import (
    BOOL,
    DATE,
    FLOAT,
    INSTANT,
    INT,
    NAIVE,
    NUMBERS,
    ORDERED,
    STRING,
    TEMPORAL,
    Type,
)
from mlops_assets.rules.vocabulary import AFFIXES, PATTERNS

_CLOCKS = {"current_date": DATE, "current_timestamp": INSTANT}
_STRINGS = {
    "len": ("length", INT),
    "lower": ("lower", STRING),
    "upper": ("upper", STRING),
    "strip": ("strip", STRING),
}


def expect(node: Typed, kinds: frozenset[str], what: str, scope: Scope, at: Node, wanted: Type) -> Typed:
    """The argument, its type among `kinds`; else an error that says what takes what."""
    node = adopt(node, wanted)
    if node.type.kind not in kinds:
        raise scope.error(f"{what}, not {node.type}", at.start, at.end)
    return node


def call(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    """A function's application."""
    name = node.function
    if name in _CLOCKS:
        return apply(name, _CLOCKS[name])
    if name in AGGREGATES:
        return _aggregate(name, node, arguments, scope)
    return {"abs": _abs, "round": _round, "coalesce": _coalesce, "length": _length, "date": _date}[name](
        node, arguments, scope
    )


def _abs(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    value = expect(arguments[0], NUMBERS, "abs() takes a number", scope, node.arguments[0], INT)
    if value.type.kind == "int":
        return apply("abs_int", INT, value)
    return apply("abs_float", FLOAT, to_float(value))


def _round(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    value = expect(arguments[0], NUMBERS, "round() takes a number", scope, node.arguments[0], INT)
    digits = node.arguments[1] if len(arguments) > 1 else None
    places = digits.value if isinstance(digits, Literal) else None if digits else 0
    if type(places) is not int or not 0 <= places <= 15:
        at = digits or node
        raise scope.error("round() takes 0 to 15 places, written as a number", at.start, at.end)
    if value.type.kind == "int":
        return value
    return apply("round_float", FLOAT, to_float(value), options=(places,))


def _coalesce(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    wanted = next((a.type for a in arguments if a.type.kind != "null"), INT)
    values = [adopt(a, wanted) for a in arguments]
    if {v.type.kind for v in values} <= NUMBERS and len({v.type for v in values}) > 1:
        values = [to_float(v) for v in values]
    for value, at in zip(values, node.arguments, strict=True):
        if value.type != values[0].type or value.type.kind in {"struct", "list", "other"}:
            raise scope.error(
                f"coalesce() takes values of one type, not {values[0].type} and {value.type}",
                at.start,
                at.end,
            )
    return apply("coalesce", values[0].type, *values)


def _length(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    text = expect(arguments[0], frozenset({"string"}), "length() takes a string", scope, node.arguments[0], STRING)
    return apply("length", INT, text)


def _date(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    at = node.arguments[0]
    text = expect(arguments[0], frozenset({"string"}), "date() takes a string", scope, at, STRING)
    if not isinstance(text, Constant) or text.value is None:
        return apply("string_to_date", DATE, text)
    day = iso_time.parse_date(text.value)
    if day is None:
        raise scope.error(f"'{text.value}' is no date", at.start, at.end, "write date('2020-01-31')")
    return Constant(day, DATE)


def _aggregate(name: str, node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    for argument, written in zip(arguments, node.arguments, strict=True):
        if not any(isinstance(part, Column) for part in walk(argument)):
            raise scope.error(f"{name}() takes a column", written.start, written.end)
    first, at = arguments[0], node.arguments[0]
    if name in {"null_count", "null_rate"}:
        count = apply("null_count", INT, first)
        return count if name == "null_count" else apply("div_float", FLOAT, to_float(count), to_float(row_count()))
    if name in {"n_unique", "is_unique"}:
        for argument, written in zip(arguments, node.arguments, strict=True):
            if argument.type.kind not in ORDERED | {"bool", "null"}:
                raise scope.error(f"{name}() takes plain columns, not {argument.type}", written.start, written.end)
        return apply(name, BOOL if name == "is_unique" else INT, *arguments)
    if name in {"min", "max"}:
        value = expect(first, ORDERED, f"{name}() takes an ordered column", scope, at, INT)
        return apply(name, value.type, value)
    value = expect(first, NUMBERS, f"{name}() takes a number", scope, at, INT)
    if name == "sum" and value.type.kind == "int":
        return apply("sum_int", INT, value)
    return apply(
        f"{name}_int" if value.type.kind == "int" else f"{name}_float",
        FLOAT,
        value if value.type.kind == "int" else to_float(value),
    )


def row_count() -> Typed:
    """The number of rows of the table."""
    return apply("row_count", INT)


def method(node: Method, target: Typed, scope: Scope) -> Typed:
    """A method of `.str` or a property of `.dt`."""
    return _part(node, target, scope) if node.accessor == "dt" else _string(node, target, scope)


def _part(node: Method, target: Typed, scope: Scope) -> Typed:
    value = expect(target, TEMPORAL, ".dt takes a date or datetime", scope, node.target, NAIVE)
    if value.type.kind == "date" and node.name == "hour":
        raise scope.error("a date has no hour", node.at, node.at + len(node.name))
    if value.type.kind == "date" and node.name == "date":
        return value
    if node.name == "date":
        return apply("date_of", DATE, value, options=(value.type.zone,))
    return apply(node.name, INT, value, options=(value.type.zone,))


def _string(node: Method, target: Typed, scope: Scope) -> Typed:
    text = expect(target, frozenset({"string"}), ".str takes a string", scope, node.target, STRING)
    if node.name in _STRINGS:
        operation, type_ = _STRINGS[node.name]
        return apply(operation, type_, text)
    argument = str(getattr((node.arguments or (None,))[0], "value", ""))
    if node.name in AFFIXES:
        return apply(AFFIXES[node.name], BOOL, text, options=(argument,))
    return apply("matches", BOOL, text, options=(regex.portable(argument, PATTERNS[node.name]),))
