"""The allow-list of functions, methods and properties, each with the types it takes and gives."""

from mlops_assets.rules import moments, regex
from mlops_assets.rules.comparisons import adopt, to_float
from mlops_assets.rules.errors import nearest
from mlops_assets.rules.names import Scope
from mlops_assets.rules.tree import AGGREGATES, Call, Literal, Method, Node
from mlops_assets.rules.typed import Column, Constant, Typed, apply, walk
from mlops_assets.rules.types import (
    BOOL,
    DATE,
    FLOAT,
    INSTANT,
    INT,
    MOMENTS,
    NAIVE,
    NUMBERS,
    ORDERED,
    STRING,
    Type,
)

_ROW = {"abs", "round", "coalesce", "length", "date", "current_date", "current_timestamp"}
_ARITY = {"abs": (1, 1), "round": (1, 2), "coalesce": (2, 1000), "length": (1, 1), "date": (1, 1)}
_CLOCKS = {"current_date": DATE, "current_timestamp": INSTANT}
_STRINGS = {
    "len": ("length", INT),
    "lower": ("lower", STRING),
    "upper": ("upper", STRING),
    "strip": ("strip", STRING),
}
_PATTERNS = {"contains": "search", "match": "match", "fullmatch": "fullmatch"}
_AFFIXES = {"startswith": "starts_with", "endswith": "ends_with"}
_PARTS = ("year", "month", "day", "hour", "dayofweek", "date")
_SIMILAR = {
    "len": "write length(x)",
    "lower": "write x.str.lower()",
    "upper": "write x.str.upper()",
    "isnull": "write 'x is null'",
    "count": "write row_count - null_count(x)",
    "avg": "write mean(x)",
    "now": "write current_timestamp()",
    "today": "write current_date()",
    "unique": "write is_unique(x)",
    "ifnull": "write coalesce(x, y)",
    "row_count": "write row_count",
    "column_count": "write column_count",
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
    if name not in _ROW | AGGREGATES:
        hint = _SIMILAR.get(name) or nearest(name, _ROW | AGGREGATES)
        raise scope.error(f"unknown function '{name}'", node.start, node.start + len(name), hint)
    low, high = (0, 0) if name in _CLOCKS else _ARITY.get(name, (1, 1 if name != "is_unique" else 1000))
    if not low <= len(arguments) <= high:
        takes = str(low) if low == high else f"{low} to {high}"
        raise scope.error(f"{name}() takes {takes} arguments, not {len(arguments)}", node.start, node.end)
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
    text = expect(
        arguments[0], frozenset({"string"}), "length() takes a string", scope, node.arguments[0], STRING
    )
    return apply("length", INT, text)


def _date(node: Call, arguments: list[Typed], scope: Scope) -> Typed:
    at = node.arguments[0]
    text = expect(arguments[0], frozenset({"string"}), "date() takes a string", scope, at, STRING)
    if not isinstance(text, Constant) or text.value is None:
        return apply("string_to_date", DATE, text)
    day = moments.parse_date(text.value)
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
        return (
            count
            if name == "null_count"
            else apply("div_float", FLOAT, to_float(count), to_float(row_count()))
        )
    if name in {"n_unique", "is_unique"}:
        for argument, written in zip(arguments, node.arguments, strict=True):
            if argument.type.kind not in ORDERED | {"bool", "null"}:
                raise scope.error(
                    f"{name}() takes plain columns, not {argument.type}", written.start, written.end
                )
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
    name_end = node.at + len(node.name)
    value = expect(target, MOMENTS, ".dt takes a date or datetime", scope, node.target, NAIVE)
    if node.name not in _PARTS:
        raise scope.error(
            f"unknown property '.dt.{node.name}'", node.at, name_end, nearest(node.name, _PARTS)
        )
    if node.arguments is not None:
        raise scope.error(f"'.dt.{node.name}' is a property", node.at, name_end, "leave out the parentheses")
    if node.name == "hour" and value.type.kind == "date":
        raise scope.error("a date has no hour", node.at, name_end)
    if node.name == "date":
        return (
            value if value.type.kind == "date" else apply("date_of", DATE, value, options=(value.type.zone,))
        )
    return apply(node.name, INT, value, options=(value.type.zone,))


def _string(node: Method, target: Typed, scope: Scope) -> Typed:
    name_end = node.at + len(node.name)
    text = expect(target, frozenset({"string"}), ".str takes a string", scope, node.target, STRING)
    known = [*_STRINGS, *_PATTERNS, *_AFFIXES]
    if node.name not in known:
        raise scope.error(
            f"unknown method '.str.{node.name}()'", node.at, name_end, nearest(node.name, known)
        )
    if node.arguments is None:
        raise scope.error(f"'.str.{node.name}' is a method", node.at, name_end, f"write .str.{node.name}(…)")
    if node.name in _STRINGS:
        if node.arguments:
            at = node.arguments[0]
            raise scope.error(f".str.{node.name}() takes no argument", at.start, at.end)
        operation, type_ = _STRINGS[node.name]
        return apply(operation, type_, text)
    argument = _literal_string(node, scope)
    if node.name in _AFFIXES:
        return apply(_AFFIXES[node.name], BOOL, text, options=(str(argument.value),))
    return _matching(node, text, argument, scope)


def _literal_string(node: Method, scope: Scope) -> Literal:
    arguments = node.arguments or ()
    if len(arguments) == 1 and isinstance(arguments[0], Literal) and isinstance(arguments[0].value, str):
        return arguments[0]
    at = arguments[0] if arguments else node
    raise scope.error(f".str.{node.name}() takes one string in quotes", at.start, at.end)


def _matching(node: Method, text: Typed, argument: Literal, scope: Scope) -> Typed:
    try:
        pattern = regex.portable(str(argument.value), _PATTERNS[node.name])
    except regex.PatternError as error:
        at = argument.start + 1 + error.position
        start = at if error.position and at < argument.end else argument.start
        raise scope.error(error.message, start, argument.end, error.hint) from None
    return apply("matches", BOOL, text, options=(pattern,))
