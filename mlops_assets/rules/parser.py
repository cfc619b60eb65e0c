"""From a rule's text to its tree: Python's parser gives the structure, an allow-list the language."""

import ast
from collections.abc import Callable
from typing import Any

from mlops_assets.rules import literals
from mlops_assets.rules.errors import RuleError
from mlops_assets.rules.syntax_errors import PANDAS_METHODS, syntax_error
from mlops_assets.rules.tokens import MAX_DEPTH, Line, Token, line_of, too_deep
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
    Tree,
)

MAX_ITEMS = 1000
ACCESSORS = frozenset({"str", "dt"})
_BOOLEANS = {"true": True, "false": False}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def parse(text: str) -> Tree:
    """Read a rule; RuleError says where and why it is none."""
    line = line_of(text)
    if not line.tokens:
        raise RuleError("a rule is empty", text, 0)
    try:
        body = ast.parse(line.source, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise syntax_error(line, error) from None
    return Tree(text, _Reader(line).read(body, 1))


class _Reader:
    """Turns Python's nodes into ours, refusing every node that is not on the list."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.forms: dict[type[ast.expr], Callable[[Any, int], Node]] = {
            ast.Name: self.word,
            ast.Attribute: self.attribute,
            ast.Call: self.call,
            ast.UnaryOp: self.unary,
            ast.BinOp: self.arithmetic,
            ast.BoolOp: self.logic,
            ast.Compare: self.comparison,
        }

    def read(self, node: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise too_deep(self.line.text, self.span(node)[0])
        form = self.forms.get(type(node))
        if form is None:
            hint = "a list belongs after 'in'" if isinstance(node, ast.List | ast.Tuple) else ""
            raise self.error("this form is not part of the rule language", node, hint)
        return form(node, depth + 1)

    def span(self, node: ast.expr) -> tuple[int, int]:
        return self.line.starts[node.col_offset], self.line.ends[node.end_col_offset or 0]

    def error(self, message: str, node: ast.expr, hint: str = "") -> RuleError:
        return RuleError(message, self.line.text, *self.span(node), hint)

    def token(self, placeholder: str) -> Token:
        return self.line.tokens[int(placeholder[1:])]

    def word(self, node: ast.Name, depth: int) -> Node:
        token = self.token(node.id)
        if token.kind == "null":
            raise self.error("null stands only after 'is'", node, "write 'is null' or 'is not null'")
        if token.kind == "number":
            return Literal(literals.number(self.line.text, token), *self.span(node))
        if token.kind == "string":
            return Literal(literals.string(self.line.text, token), *self.span(node))
        if token.kind == "name" and token.text.lower() in _BOOLEANS:
            return Literal(_BOOLEANS[token.text.lower()], *self.span(node))
        return Name((_bare(token),), *self.span(node), quoted=token.kind == "quoted")

    def attribute(self, node: ast.Attribute, depth: int) -> Node:
        token = self.token(node.attr)
        owner = node.value
        if isinstance(owner, ast.Attribute) and (accessor := self.accessor(owner)):
            target = self.read(owner.value, depth)
            return Method(target, accessor, token.text, None, token.start, *self.span(node))
        if token.kind != "quoted" and token.text.startswith("_"):
            raise RuleError("a name after a dot does not begin with _", self.line.text, token.start, token.end)
        target = self.read(owner, depth)
        if not isinstance(target, Name):
            raise RuleError(
                f"unknown attribute '{token.text}'",
                self.line.text,
                token.start,
                token.end,
                "methods are written .str.contains('…')",
            )
        return Name((*target.parts, _bare(token)), *self.span(node), quoted=target.quoted)

    def accessor(self, node: ast.Attribute) -> str | None:
        token = self.token(node.attr)
        return token.text if token.kind == "name" and token.text in ACCESSORS else None

    def call(self, node: ast.Call, depth: int) -> Node:
        if len(node.args) > MAX_ITEMS:
            raise self.error(f"more than {MAX_ITEMS} arguments", node)
        if any(isinstance(argument, ast.Starred) for argument in node.args) or node.keywords:
            raise self.error("arguments are plain values", node)
        if isinstance(node.func, ast.Name) and self.token(node.func.id).kind == "name":
            arguments = tuple(self.read(argument, depth) for argument in node.args)
            return Call(self.token(node.func.id).text, arguments, *self.span(node))
        if isinstance(node.func, ast.Attribute):
            return self.method(node, node.func, depth)
        raise self.error("only functions and methods are called", node.func)

    def method(self, node: ast.Call, function: ast.Attribute, depth: int) -> Node:
        owner, name = function.value, self.token(function.attr)
        accessor = self.accessor(owner) if isinstance(owner, ast.Attribute) else None
        if accessor is None or not isinstance(owner, ast.Attribute):
            hint = PANDAS_METHODS.get(name.text, "string methods are written .str.contains('…')")
            raise RuleError(f"unknown method '{name.text}'", self.line.text, name.start, name.end, hint)
        arguments = tuple(self.read(argument, depth) for argument in node.args)
        return Method(self.read(owner.value, depth), accessor, name.text, arguments, name.start, *self.span(node))

    def unary(self, node: ast.UnaryOp, depth: int) -> Node:
        operand = self.read(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return Not(operand, *self.span(node))
        if not isinstance(node.op, ast.USub):
            raise self.error("unary plus is not part of the rule language", node, "leave it out")
        if isinstance(operand, Literal) and type(operand.value) in {int, float}:
            return Literal(-operand.value, *self.span(node))  # type: ignore[operator]
        return Negative(operand, *self.span(node))

    def arithmetic(self, node: ast.BinOp, depth: int) -> Node:
        operator = _ARITHMETIC[type(node.op)]
        return Arithmetic(operator, self.read(node.left, depth), self.read(node.right, depth), *self.span(node))

    def logic(self, node: ast.BoolOp, depth: int) -> Node:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        return Logic(operator, tuple(self.read(v, depth) for v in node.values), *self.span(node))

    def comparison(self, node: ast.Compare, depth: int) -> Node:
        first = node.ops[0]
        if all(type(op) in _COMPARISONS for op in node.ops):
            operands = tuple(self.read(v, depth) for v in (node.left, *node.comparators))
            return Comparison(tuple(_COMPARISONS[type(op)] for op in node.ops), operands, *self.span(node))
        if len(node.ops) > 1:
            raise self.error("a chain mixes 'is' or 'in' with comparisons", node, "add parentheses")
        left = self.read(node.left, depth)
        if isinstance(first, ast.Is | ast.IsNot):
            return self.null_test(node, left, isinstance(first, ast.IsNot))
        return In(left, self.items(node.comparators[0], depth), isinstance(first, ast.NotIn), *self.span(node))

    def null_test(self, node: ast.Compare, left: Node, negated: bool) -> Node:
        right = node.comparators[0]
        if isinstance(right, ast.Name) and self.token(right.id).kind == "null":
            return IsNull(left, negated, *self.span(node))
        raise self.error("only null and not null follow 'is'", right, "write '!='" if negated else "write '=='")

    def items(self, node: ast.expr, depth: int) -> tuple[Node, ...] | Name:
        if not isinstance(node, ast.List | ast.Tuple):
            single = self.read(node, depth)
            return single if isinstance(single, Name) else (single,)
        if len(node.elts) > MAX_ITEMS:
            raise self.error(f"a list of {len(node.elts)} items is longer than {MAX_ITEMS}", node)
        if not node.elts:
            raise self.error("an empty list", node, "nothing is in it")
        return tuple(self.item(element, depth) for element in node.elts)

    def item(self, node: ast.expr, depth: int) -> Node:
        if isinstance(node, ast.Name) and self.token(node.id).kind == "null":
            raise self.error("null in a list", node, "write '… or x is null'")
        return self.read(node, depth)


def _bare(token: Token) -> str:
    return token.text[1:-1] if token.kind == "quoted" else token.text
