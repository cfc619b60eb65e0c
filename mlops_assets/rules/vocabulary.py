"""Checks of a rule without its table: its functions and patterns exist, and it has one level."""

from collections.abc import Iterator

from mlops_assets.rules import regex
from mlops_assets.rules.errors import RuleError, nearest
from mlops_assets.rules.parser import parse
from mlops_assets.rules.tree import (
    AGGREGATES,
    Call,
    Literal,
    Method,
    Name,
    Node,
    Tree,
    children,
    is_aggregate,
    is_count,
    is_table_level,
    walk,
)

_ARITY = {
    "abs": (1, 1),
    "round": (1, 2),
    "coalesce": (2, 1000),
    "length": (1, 1),
    "date": (1, 1),
    "current_date": (0, 0),
    "current_timestamp": (0, 0),
    "is_unique": (1, 1000),
}
_FUNCTIONS = {*_ARITY, *AGGREGATES}
PATTERNS = {"contains": "search", "match": "match", "fullmatch": "fullmatch"}
AFFIXES = {"startswith": "starts_with", "endswith": "ends_with"}
_PLAIN = ("len", "lower", "upper", "strip")
_STRING = (*PATTERNS, *AFFIXES, *_PLAIN)
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


def read(text: str) -> Tree:
    """Parse a rule and check its words; RuleError says where and why it is none."""
    tree = parse(text)
    for node in walk(tree.root):
        if isinstance(node, Call):
            _check_call(node, text)
        if isinstance(node, Method):
            _check_part(node, text) if node.accessor == "dt" else _check_string(node, text)
    if is_table_level(tree):
        _check_level(tree)
    return tree


def _check_call(node: Call, text: str) -> None:
    name = node.function
    if name not in _FUNCTIONS:
        hint = _SIMILAR.get(name) or nearest(name, _FUNCTIONS)
        raise RuleError(f"unknown function '{name}'", text, node.start, node.start + len(name), hint)
    low, high = _ARITY.get(name, (1, 1))
    if not low <= len(node.arguments) <= high:
        takes = str(low) if low == high else f"{low} to {high}"
        message = f"{name}() takes {takes} arguments, not {len(node.arguments)}"
        raise RuleError(message, text, node.start, node.end)


def _check_part(node: Method, text: str) -> None:
    end = node.at + len(node.name)
    if node.name not in _PARTS:
        raise RuleError(f"unknown property '.dt.{node.name}'", text, node.at, end, nearest(node.name, _PARTS))
    if node.arguments is not None:
        raise RuleError(f"'.dt.{node.name}' is a property", text, node.at, end, "leave out the parentheses")


def _check_string(node: Method, text: str) -> None:
    end = node.at + len(node.name)
    if node.name not in _STRING:
        raise RuleError(f"unknown method '.str.{node.name}()'", text, node.at, end, nearest(node.name, _STRING))
    if node.arguments is None:
        raise RuleError(f"'.str.{node.name}' is a method", text, node.at, end, f"write .str.{node.name}(…)")
    if node.name not in _PLAIN:
        argument = _literal_string(node, text)
        if node.name in PATTERNS:
            _check_pattern(node, argument, text)
    elif node.arguments:
        at = node.arguments[0]
        raise RuleError(f".str.{node.name}() takes no argument", text, at.start, at.end)


def _literal_string(node: Method, text: str) -> Literal:
    arguments = node.arguments or ()
    if len(arguments) == 1 and isinstance(arguments[0], Literal) and isinstance(arguments[0].value, str):
        return arguments[0]
    at = arguments[0] if arguments else node
    raise RuleError(f".str.{node.name}() takes one string in quotes", text, at.start, at.end)


def _check_pattern(node: Method, argument: Literal, text: str) -> None:
    try:
        regex.portable(str(argument.value), PATTERNS[node.name])
    except regex.PatternError as error:
        at = argument.start + 1 + error.position
        start = at if error.position and at < argument.end else argument.start
        raise RuleError(error.message, text, start, argument.end, error.hint) from None


def _check_level(tree: Tree) -> None:
    row = next(_outside(tree.root), None)
    if row is not None:
        message = f"'{row.written}' has a value in each row, the rest of the rule one for the table"
        raise RuleError(message, tree.text, row.start, row.end, "write two rules")
    for node in walk(tree.root):
        inner = [n for child in children(node) for n in walk(child) if is_aggregate(n)] if is_aggregate(node) else []
        if inner:
            raise RuleError("a table-level value inside another", tree.text, inner[0].start, inner[0].end)


def _outside(node: Node) -> Iterator[Name]:
    """The columns of a rule that stand outside every table-level function."""
    if isinstance(node, Name) and not is_count(node):
        yield node
    if not is_aggregate(node):
        for child in children(node):
            yield from _outside(child)
