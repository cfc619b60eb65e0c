"""The type checker: resolves every name against the table, and checks that operators accept their operands' types."""

from collections.abc import Callable, Mapping
from typing import Any

from mlops_assets.rules import functions
from mlops_assets.rules.comparisons import adopt, align, compare, fits, to_float
from mlops_assets.rules.errors import RuleError
from mlops_assets.rules.functions import expect
from mlops_assets.rules.names import Scope, resolve, resolve_foreign
from mlops_assets.rules.tree import (
    Arithmetic,
    Call,
    Comparison,
    In,
    IsNull,
    Literal,
    Logic,
    Method,
    Name,
    Negative,
    Node,
    Not,
    is_count,
    is_table_level,
)
from mlops_assets.rules.typed import MAX_SIZE, Checked, Column, Constant, Typed, apply
from mlops_assets.rules.types import BOOL, FLOAT, INT, NUMBERS, STRING, Schema, Type
from mlops_assets.rules.vocabulary import read

Tables = Mapping[str, Schema]
_BOOLEAN = frozenset({"bool"})
_NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod"}


def check(text: str, schema: Schema, *, table: str | None = None, tables: Tables | None = None) -> Checked:
    """The typed tree of a condition; RuleError if it does not fit the schema or is not boolean."""
    checked = value(text, schema, table=table, tables=tables)
    if checked.root.type.kind not in {"bool", "null"}:
        raise RuleError(
            f"a rule is true or false, this is {checked.root.type}",
            text,
            0,
            len(text),
            "compare it with something",
        )
    return Checked(text, adopt(checked.root, BOOL), checked.table_level)


def infer(text: str, schema: Schema, *, table: str | None = None, tables: Tables | None = None) -> Type:
    """The type of any value expression, for derived columns."""
    return value(text, schema, table=table, tables=tables).root.type


def value(text: str, schema: Schema, *, table: str | None = None, tables: Tables | None = None) -> Checked:
    """The typed tree of any value expression."""
    tree = read(text)
    scope = Scope(text, schema, table, tables or {})
    root = _check(tree.root, scope)
    if root.size > MAX_SIZE:
        raise RuleError("this rule is too large once it is written out", text, 0, len(text), "split it")
    return Checked(text, root, is_table_level(tree))


def _check(node: Node, scope: Scope) -> Typed:
    return _FORMS[type(node)](node, scope)


def _literal(node: Literal, scope: Scope) -> Typed:
    types: dict[type, Type] = {bool: BOOL, int: INT, float: FLOAT, str: STRING}
    return fits(Constant(node.value, types[type(node.value)]), scope, node)


def _name(node: Name, scope: Scope) -> Typed:
    if not is_count(node):
        return resolve(node, scope)
    if node.written in scope.schema:
        hint = f"write `{node.written}` for the column"
        raise scope.error(f"'{node.written}' is a column and a count of the table", node.start, node.end, hint)
    return functions.row_count() if node.written == "row_count" else Constant(len(scope.schema), INT)


def _call(node: Call, scope: Scope) -> Typed:
    return functions.call(node, [_check(argument, scope) for argument in node.arguments], scope)


def _method(node: Method, scope: Scope) -> Typed:
    return functions.method(node, _check(node.target, scope), scope)


def _negative(node: Negative, scope: Scope) -> Typed:
    operand = expect(_check(node.operand, scope), NUMBERS, "'-' takes a number", scope, node.operand, INT)
    if operand.type.kind == "int":
        return apply("neg_int", INT, operand)
    return apply("neg_float", FLOAT, to_float(operand))


def _arithmetic(node: Arithmetic, scope: Scope) -> Typed:
    what = f"'{node.operator}' takes numbers"
    kinds = NUMBERS if node.operator != "%" else frozenset({"int"})
    if node.operator == "%":
        what = "'%' takes whole numbers"
    left, right = (expect(_check(side, scope), kinds, what, scope, side, INT) for side in (node.left, node.right))
    whole = left.type.kind == right.type.kind == "int" and node.operator != "/"
    if whole:
        return apply(f"{_NAMES[node.operator]}_int", INT, left, right)
    return apply(f"{_NAMES[node.operator]}_float", FLOAT, to_float(left), to_float(right))


def _not(node: Not, scope: Scope) -> Typed:
    return apply("not", BOOL, _condition(node.operand, "'not'", scope))


def _logic(node: Logic, scope: Scope) -> Typed:
    operands = [_condition(operand, f"'{node.operator}'", scope) for operand in node.operands]
    return apply(node.operator, BOOL, *operands)


def _condition(node: Node, operator: str, scope: Scope) -> Typed:
    return expect(_check(node, scope), _BOOLEAN, f"{operator} takes conditions", scope, node, BOOL)


def _comparison(node: Comparison, scope: Scope) -> Typed:
    values = [_check(operand, scope) for operand in node.operands]
    links = [
        compare(operator, values[i], values[i + 1], scope, (node.operands[i], node.operands[i + 1]))
        for i, operator in enumerate(node.operators)
    ]
    return links[0] if len(links) == 1 else apply("and", BOOL, *links)


def _is_null(node: IsNull, scope: Scope) -> Typed:
    test = apply("is_null", BOOL, _check(node.operand, scope))
    return apply("not", BOOL, test) if node.negated else test


def _in(node: In, scope: Scope) -> Typed:
    operand = _check(node.operand, scope)
    test = (
        _in_table(node.items, operand, node, scope)
        if isinstance(node.items, Name)
        else _in_list(node.items, operand, node, scope)
    )
    return apply("not", BOOL, test) if node.negated else test


def _in_list(items: tuple[Node, ...], operand: Typed, node: In, scope: Scope) -> Typed:
    values = [_item(item, scope) for item in items]
    kinds = {"number" if v.type.kind in NUMBERS else v.type.kind for v in values}
    if len(kinds) > 1:
        raise scope.error("a list holds literals of one type", items[0].start, items[-1].end)
    pairs = [align(operand, v, scope, node.operand, item) for v, item in zip(values, items, strict=True)]
    if any(cast.type.kind in {"float", "decimal"} or getattr(known, "value", None) is None for cast, known in pairs):
        tests = [compare("==", operand, v, scope, (node.operand, i)) for v, i in zip(values, items, strict=True)]
        return tests[0] if len(tests) == 1 else apply("or", BOOL, *tests)
    options = tuple(dict.fromkeys(known.value for _, known in pairs if isinstance(known, Constant)))
    return apply("in_list", BOOL, pairs[0][0], options=options)


def _item(node: Node, scope: Scope) -> Constant:
    item = _check(node, scope) if isinstance(node, Literal | Call) else None
    if not isinstance(item, Constant):
        raise scope.error("a list holds literals", node.start, node.end, "numbers, strings, true or false")
    return item


def _in_table(items: Name, operand: Typed, node: In, scope: Scope) -> Typed:
    table, column, type_ = resolve_foreign(items, scope)
    stand_in: Typed = Column(column, (), type_)
    left, right = align(operand, stand_in, scope, node.operand, items)
    return apply("in_table", BOOL, left, options=(table, column, right))


_FORMS: dict[type, Callable[[Any, Scope], Typed]] = {
    Literal: _literal,
    Name: _name,
    Call: _call,
    Method: _method,
    Negative: _negative,
    Arithmetic: _arithmetic,
    Not: _not,
    Logic: _logic,
    Comparison: _comparison,
    IsNull: _is_null,
    In: _in,
}
