"""Typed rules as Spark columns: columns, constants and what an operation needs of the context.

The same meaning, names and shape as `polars.py`. Times need a session in UTC: `in_utc` gives one for a query.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.rules import checker
from mlops_assets.rules.constant_folding import fold_constants
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.spark_operations import OPERATIONS, Expr, functions
from mlops_assets.rules.typed import Apply, Checked, Column, Constant, Typed
from mlops_assets.rules.types import Kind, Schema, Type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KINDS: dict[str, Kind] = {
    "tinyint": "int",
    "smallint": "int",
    "int": "int",
    "bigint": "int",
    "float": "float",
    "double": "float",
    "string": "string",
    "boolean": "bool",
    "date": "date",
    "timestamp_ntz": "datetime",
    "void": "null",
}
_NAMES = {"int": "bigint", "float": "double", "bool": "boolean", "null": "void"}
_ZONE = "spark.sql.session.timeZone"
_ROW_INDEX = "__row_index"


def schema_of(frame: Any) -> Schema:
    """Rule types of a Spark frame's or StructType's columns, in order."""
    fields = getattr(frame, "schema", frame).fields
    return {field.name: of_type(field.dataType) for field in fields}


def of_type(spark_type: Any) -> Type:
    """The rule type of one Spark type; a timestamp is an instant and read in UTC."""
    stored = spark_type.simpleString()
    family = stored.partition("(")[0].partition("<")[0]
    if family == "timestamp":
        return Type("datetime", zone="UTC", stored=stored)
    if family == "decimal":
        return Type("decimal", precision=spark_type.precision, scale=spark_type.scale, stored=stored)
    if family == "struct":
        return Type("struct", fields=tuple((f.name, of_type(f.dataType)) for f in spark_type), stored=stored)
    kind: Kind = "string" if family in {"varchar", "char"} else "list" if family == "array" else "other"
    return Type(_KINDS.get(family, kind), stored=stored)


def type_name(type_: Type) -> str:
    """The Spark type in which values of a rule type are computed."""
    if type_.kind == "datetime":
        return "timestamp" if type_.zone else "timestamp_ntz"
    if type_.kind == "decimal":
        return f"decimal({type_.precision},{type_.scale})"
    return _NAMES.get(type_.kind, type_.kind)


def expression(
    text: str,
    schema: Schema,
    *,
    as_of: datetime | None = None,
    tolerance: float | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
) -> Expr:
    """Any value expression as a Spark column, for filters and derived columns; an unknown is null."""
    tables = tables or {}
    schemas = {name: schema_of(frame) for name, frame in tables.items()}
    checked = checker.value(text, schema, table=table, tables=schemas)
    return compile_rule(checked, EvaluationContext(as_of, tolerance, tables))


def verdicts(checked: Checked, frame: "DataFrame", context: EvaluationContext) -> list[bool]:
    """Whether each row passes, in the order of collect; a table-level rule repeats its verdict."""
    found = compile_rule(checked, context).alias("passes")
    with in_utc(frame):
        if checked.table_level:
            verdict = frame.agg(found, functions().count(functions().lit(1)).alias("rows")).collect()[0]
            return [bool(verdict["passes"])] * verdict["rows"]
        # A rule that looks into another table joins it, and a join may put the rows in another order.
        numbered = frame.withColumn(_ROW_INDEX, functions().monotonically_increasing_id())
        rows = numbered.select(_ROW_INDEX, found).collect()
        return [bool(row["passes"]) for row in sorted(rows, key=lambda row: row[_ROW_INDEX])]


@contextmanager
def in_utc(frame: "DataFrame") -> Iterator[None]:
    """The frame's session reads times in UTC inside the block."""
    conf = frame.sparkSession.conf
    before = str(conf.get(_ZONE))
    conf.set(_ZONE, "UTC")
    try:
        yield
    finally:
        conf.set(_ZONE, before)


def compile_rule(checked: Checked, context: EvaluationContext) -> Expr:
    """A checked rule as one column; a table-level rule is an aggregate."""
    root = fold_constants(checked, context)
    return _known(root, _compile(root, context))


def _compile(node: Typed, context: EvaluationContext) -> Expr:
    if isinstance(node, Constant):
        return _constant(node)
    if isinstance(node, Column):
        return _column(node)
    arguments = [_compile(argument, context) for argument in node.arguments]
    if node.operation not in _NAN_STAYS_WITHIN:
        arguments = [_known(n, a) for n, a in zip(node.arguments, arguments, strict=True)]
    bound = _WITH_CONTEXT.get(node.operation)
    return bound(node, context, *arguments) if bound else OPERATIONS[node.operation](*arguments, *node.options)


def _constant(node: Constant) -> Expr:
    if node.type.kind == "datetime" and node.value is not None:
        return _moment(node.value, node.type.zone)
    return functions().lit(node.value).cast(type_name(node.type))


def _moment(microseconds: int, zone: str | None) -> Expr:
    instant = functions().timestamp_micros(functions().lit(microseconds))
    return instant if zone else instant.cast("timestamp_ntz")


def _column(node: Column) -> Expr:
    found = functions().col("`" + node.name.replace("`", "``") + "`")
    for name in node.path:
        found = found.getField(name)
    wanted = type_name(node.type)
    plain = node.type.kind in {"struct", "list", "other", "null"} or node.type.stored == wanted
    return found if plain else found.cast(wanted)


def _known(node: Typed, value: Expr) -> Expr:
    """A float's NaN as null."""
    may_be_nan = isinstance(node, Column) or getattr(node, "operation", "") in _NAN_STAYS
    if node.type.kind != "float" or not may_be_nan:
        return value
    return functions().nanvl(value, functions().lit(None).cast("double"))


def _eq_float(node: Apply, context: EvaluationContext, a: Expr, b: Expr) -> Expr:
    """|a - b| <= max(1e-9 * max(|a|, |b|), tolerance), where infinities equal only themselves."""
    f = functions()
    bound = f.greatest(f.abs(a) * 1e-9, f.abs(b) * 1e-9, f.lit(context.tolerance or 0.0))
    difference = f.abs(a - b)
    return (a == b) | ((difference < float("inf")) & (difference <= bound))


def _in_table(node: Apply, context: EvaluationContext, a: Expr) -> Expr:
    table, _, member = node.options
    other = (
        context.tables[table]
        .select(_known(member, _compile(member, context)).alias("_"))
        .where(functions().col("_").isNotNull())
    )
    return functions().when(a.isNotNull(), a.isin(other))


def _in_list(node: Apply, context: EvaluationContext, a: Expr) -> Expr:
    return a.isin(*(_constant(Constant(value, node.arguments[0].type)) for value in node.options))


# Arithmetic carries NaN along, so that one test at its end finds every unknown.
_NAN_STAYS = frozenset({f"{name}_float" for name in ("add", "sub", "mul", "div", "neg", "abs", "round", "sum", "mean")})
_NAN_STAYS_WITHIN = _NAN_STAYS - {"sum_float", "mean_float"}

# Operations that need the run or their own node.
_WITH_CONTEXT: dict[str, Callable[..., Expr]] = {
    "eq_float": _eq_float,
    "in_list": _in_list,
    "in_table": _in_table,
}
