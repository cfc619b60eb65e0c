"""A float's NaN is unknown: where an expression may be NaN, and how it becomes null at the least cost."""

from functools import reduce
from operator import and_

import polars as pl

from mlops_assets.rules.typed import Apply, Column, Typed

# Arithmetic carries NaN along, so that one test at its end finds every unknown.
_STAYS = frozenset({f"{name}_float" for name in ("add", "sub", "mul", "div", "neg", "abs", "round", "sum", "mean")})
TAKES_NAN = (_STAYS - {"sum_float", "mean_float"}) | {"lt", "le", "eq_float"}


def known(node: Typed, value: pl.Expr) -> pl.Expr:
    """The value of a node with NaN as null."""
    return pl.when(value.is_not_nan()).then(value) if _may_be_nan(node) else value


def where_known(node: Apply, test: pl.Expr, *values: pl.Expr) -> pl.Expr:
    """A comparison, null where a side is NaN: cheaper than to make both sides null first."""
    sides = [value.is_not_nan() for value, n in zip(values, node.arguments, strict=True) if _may_be_nan(n)]
    return pl.when(reduce(and_, sides)).then(test) if sides else test


def _may_be_nan(node: Typed) -> bool:
    arithmetic = isinstance(node, Column) or getattr(node, "operation", "") in _STAYS
    return node.type.kind == "float" and arithmetic
