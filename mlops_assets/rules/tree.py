"""A rule as written: one small node per form of the grammar. No types and no meaning here.

`start` and `end` are offsets into the rule's text, so that every error can point at its token.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias

Value: TypeAlias = int | float | str | bool | None


@dataclass(frozen=True)
class Literal:
    """A number, string or boolean."""

    value: Value
    start: int
    end: int


@dataclass(frozen=True)
class Name:
    """A column, a struct's field or a table's column: `a`, `a.b`; `quoted` when back-ticks were used."""

    parts: tuple[str, ...]
    start: int
    end: int
    quoted: bool = False

    @property
    def written(self) -> str:
        """The parts joined by dots."""
        return ".".join(self.parts)


@dataclass(frozen=True)
class Call:
    """A function: `coalesce(a, b)`."""

    function: str
    arguments: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True)
class Method:
    """An accessor's method or property: `a.str.contains('x')`, `a.dt.year`; `at` is where its name begins."""

    target: "Node"
    accessor: str
    name: str
    arguments: tuple["Node", ...] | None
    at: int
    start: int
    end: int


@dataclass(frozen=True)
class Negative:
    """Unary minus."""

    operand: "Node"
    start: int
    end: int


@dataclass(frozen=True)
class Arithmetic:
    """`left operator right` with one of + - * / %."""

    operator: str
    left: "Node"
    right: "Node"
    start: int
    end: int


@dataclass(frozen=True)
class Not:
    """`not operand`."""

    operand: "Node"
    start: int
    end: int


@dataclass(frozen=True)
class Logic:
    """Operands joined by `and` or by `or`."""

    operator: str
    operands: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True)
class Comparison:
    """A chain `a < b <= c`: one operator fewer than operands."""

    operators: tuple[str, ...]
    operands: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True)
class IsNull:
    """`operand is null`."""

    operand: "Node"
    negated: bool
    start: int
    end: int


@dataclass(frozen=True)
class In:
    """`operand in [literals]`, or `operand in table.column` where `items` is a name."""

    operand: "Node"
    items: "tuple[Node, ...] | Name"
    negated: bool
    start: int
    end: int


Node: TypeAlias = Literal | Name | Call | Method | Negative | Arithmetic | Not | Logic | Comparison | IsNull | In

AGGREGATES = frozenset({"null_count", "null_rate", "n_unique", "is_unique", "min", "max", "mean", "sum"})
COUNTS = frozenset({"row_count", "column_count"})


@dataclass(frozen=True)
class Tree:
    """A parsed rule: its text and its root node."""

    text: str
    root: Node


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below; the table column of `x in t.c` is not one of them."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(node, In) and isinstance(value, Name) and value is node.items:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Node):
                yield item


def is_count(node: Node) -> bool:
    """Whether a node is `row_count` or `column_count`."""
    return isinstance(node, Name) and not node.quoted and node.written in COUNTS


def is_aggregate(node: Node) -> bool:
    """Whether a node has one value for the entire table."""
    return is_count(node) or (isinstance(node, Call) and node.function in AGGREGATES)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def columns(tree: Tree) -> set[str]:
    """The column names a rule reads, dotted ones as written; the other table of `x in t.c` is left out."""
    return {n.written for n in walk(tree.root) if isinstance(n, Name) and not is_count(n)}


def foreign_columns(tree: Tree) -> set[str]:
    """The `t.c` of every `x in t.c`, as written."""
    return {n.items.written for n in walk(tree.root) if isinstance(n, In) and isinstance(n.items, Name)}


def is_table_level(tree: Tree) -> bool:
    """Whether a rule gives one verdict for the table rather than one a row."""
    return any(is_aggregate(node) for node in walk(tree.root))
