"""A rule that fits its table: every node knows its type and names one operation that both engines define.

Casts are operations of their own, so an engine never decides a conversion by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mlops_assets.rules.types import Type

# How often an engine's form of an operation repeats an argument; twice if not listed.
_REPEATS = dict.fromkeys(("and", "or", "not", "is_null", "eq", "add_int", "sub_int", "mul_int", "neg_int"), 1)
_REPEATS |= dict.fromkeys(("add_float", "sub_float", "mul_float", "neg_float", "abs_float", "int_to_float"), 1)
_REPEATS |= {"mod_int": 4, "round_float": 3, "eq_float": 8, "string_to_datetime": 9}
# An unknown argument does not make these unknown.
_NULL_AWARE = frozenset({"and", "or", "is_null", "coalesce", "null_count", "n_unique", "is_unique"})
MAX_SIZE = 30_000


@dataclass(frozen=True)
class Constant:
    """A value known before any row is read; None stands for an unknown of its type."""

    value: Any
    type: Type
    size: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Column:
    """A column, or with `path` a field inside a struct column."""

    name: str
    path: tuple[str, ...]
    type: Type
    size: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Apply:
    """An operation on arguments; `options` are plain values such as a pattern or a list of constants."""

    operation: str
    arguments: tuple["Typed", ...]
    type: Type
    options: tuple[Any, ...] = ()
    size: int = field(default=1, compare=False, repr=False)


Typed: TypeAlias = Constant | Column | Apply


@dataclass(frozen=True)
class Checked:
    """A rule with its types: what the engines compile."""

    text: str
    root: Typed
    table_level: bool


def apply(operation: str, type_: Type, *arguments: Typed, options: tuple[Any, ...] = ()) -> Typed:
    """An operation and its size once an engine has written it out; of an unknown constant, an unknown."""
    if operation not in _NULL_AWARE and any(isinstance(a, Constant) and a.value is None for a in arguments):
        return Constant(None, type_)
    size = 1 + len(options) + _REPEATS.get(operation, 2) * sum(argument.size for argument in arguments)
    return Apply(operation, arguments, type_, options, size)


def walk(node: Typed) -> Iterator[Typed]:
    """A node and everything below it, parents first."""
    yield node
    for argument in node.arguments if isinstance(node, Apply) else ():
        yield from walk(argument)


def columns(checked: Checked) -> list[str]:
    """The frame's columns that a rule reads, each once, in the order of the text."""
    return list(dict.fromkeys(node.name for node in walk(checked.root) if isinstance(node, Column)))
