"""Balanced reduction: a long chain of conditions becomes a shallow tree, since engines walk expressions recursively."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def balanced(operator: Callable[[T, T], T], values: Sequence[T]) -> T:
    """`operator` (associative) over one or more values, nested only log2 deep."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return operator(balanced(operator, values[:half]), balanced(operator, values[half:]))
