"""Point-in-time joins: each row gets what another table knew at the row's time, and never more rows.

A lookup takes the one row of the same key. An as-of join takes the newest row of the same key that is not
later than the row's time. Rows and their order stay as they are; null keys and null times match nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from mlops_assets.config.features import Join
from mlops_assets.config.problems import did_you_mean
from mlops_assets.features.errors import FeatureError

_ORDER = "__order"


def join_tables(
    frame: pl.LazyFrame, joins: Sequence[Join], tables: Mapping[str, pl.LazyFrame], *, time: str
) -> pl.LazyFrame:
    """`frame` with the columns of each join, in order; as many rows as before, in the same order.

    `tables` maps each join's `table` to its rows; `time` is the left time column where a join names none.
    Raises FeatureError naming the join, the missing table or column and the nearest, keys that are no key
    and times that cannot be compared. The key columns of looked-up tables are read to check them.
    """
    for position, join in enumerate(joins):
        where = f"joins[{position}] ({join.table})"
        right = joined_table(tables, join.table, f"{where}: no table")
        frame = _joined(frame, right, join, time, where)
    return frame


def joined_table(tables: Mapping[str, pl.LazyFrame], name: str, problem: str) -> pl.LazyFrame:
    """The table called `name`. Raises FeatureError, which starts with `problem`, with the nearest name."""
    if name not in tables:
        hint = did_you_mean(name, tables) or f"known are {', '.join(sorted(tables)) or 'none'}"
        raise FeatureError(f"{problem} '{name}'; {hint}")
    return tables[name]


def require_columns(columns: Iterable[str], schema: Iterable[str], where: str) -> None:
    """Raises FeatureError for the first of `columns` that is not in `schema`, with the nearest name."""
    known = list(schema)
    for column in columns:
        if column not in known:
            hint = did_you_mean(column, known) or f"it has {', '.join(known)}"
            raise FeatureError(f"{where} has no column '{column}'; {hint}")


def join_keys(join: Join) -> tuple[list[str], list[str]]:
    """Key columns of the left and of the right table."""
    return list(join.on), list(join.on.values()) if isinstance(join.on, dict) else list(join.on)


def _joined(left: pl.LazyFrame, right: pl.LazyFrame, join: Join, time: str, where: str) -> pl.LazyFrame:
    left_schema, right_schema = left.collect_schema(), right.collect_schema()
    left_keys, right_keys = join_keys(join)
    moment = [join.left_time or time] if join.as_of else []
    as_of = [join.as_of] if join.as_of else []
    require_columns([*left_keys, *moment], left_schema.names(), f"{where}: the table so far")
    taken = join.columns or _columns_except([*right_keys, *as_of], right_schema)
    require_columns([*right_keys, *as_of, *taken, *join.rename], right_schema.names(), f"{where}: '{join.table}'")
    names = {column: join.prefix + join.rename.get(column, column) for column in taken}
    _require_new(list(names.values()), left_schema.names(), where)
    inner = {key: f"__key{number}" for number, key in enumerate(right_keys)}
    values = [pl.col(column).alias(name) for column, name in names.items()]
    keys = [
        _comparable(pl.col(key), left_schema[own], right_schema[key], f"{where}: key '{key}'").alias(inner[key])
        for own, key in zip(left_keys, right_keys, strict=True)
    ]
    known = right.drop_nulls(right_keys)
    # A key that the left one's type does not hold is null by now, and no row's.
    if not join.as_of:
        _require_key(known, right_keys, where)
        return left.join(
            known.select(*keys, *values).drop_nulls(list(inner.values())),
            left_on=left_keys,
            right_on=list(inner.values()),
            how="left",
            maintain_order="left",
        )
    instant = _comparable(
        pl.col(join.as_of), left_schema[moment[0]], right_schema[join.as_of], f"{where}: as_of '{join.as_of}'"
    )
    past = known.drop_nulls(join.as_of).select(*keys, instant.alias("__time"), *values)
    past = past.drop_nulls(list(inner.values()))
    return _as_of(left, past, left_keys, list(inner.values()), moment[0], join)


def _as_of(
    left: pl.LazyFrame, past: pl.LazyFrame, left_keys: list[str], keys: list[str], moment: str, join: Join
) -> pl.LazyFrame:
    # Of several rows of one instant the last one counts, as the table has them: sorting keeps their order.
    rows, known = _sorted_by_time(left.with_row_index(_ORDER), moment), _sorted_by_time(past, "__time")
    found = rows.join_asof(
        known,
        left_on=moment,
        right_on="__time",
        by_left=left_keys,
        by_right=keys,
        strategy="backward",
        tolerance=join.tolerance,
        allow_exact_matches=join.allow_exact,
        coalesce=True,
        check_sortedness=False,
    )
    return found.lazy().sort(_ORDER).drop(_ORDER, "__time", *keys, strict=False)


def _sorted_by_time(frame: pl.LazyFrame, moment: str) -> pl.DataFrame:
    """The rows in the order of their time; a table that is so already is not sorted again."""
    rows = frame.collect()
    return rows if rows[moment].is_sorted() else rows.sort(moment, maintain_order=True)


def _columns_except(keys: Sequence[str], schema: pl.Schema) -> list[str]:
    """Every column but keys and the lake's own, whose names start with an underscore."""
    return [name for name in schema.names() if name not in keys and not name.startswith("_")]


def _require_new(names: Sequence[str], present: Sequence[str], where: str) -> None:
    for name in names:
        if name in present or names.count(name) > 1:
            raise FeatureError(
                f"{where} brings a column '{name}' that is there already; list the columns to take, "
                "rename it or give the join a prefix"
            )


def _require_key(right: pl.LazyFrame, keys: Sequence[str], where: str) -> None:
    twice = right.group_by(keys).len().filter(pl.col("len") > 1).sort(keys)
    found = twice.select(pl.len(), *(pl.col(key).first() for key in keys)).collect()
    count, *values = found.row(0)
    if count:
        raise repeated_keys_error(where, count, dict(zip(keys, values, strict=True)))


def repeated_keys_error(where: str, count: int, example: Mapping[str, object]) -> FeatureError:
    """The error of a lookup whose keys are in several rows."""
    example_text = ", ".join(f"{key}={value!r}" for key, value in example.items())
    return FeatureError(
        f"{where}: {count} keys are in several rows, such as {example_text}; a lookup needs one row per "
        "key: add a key column, or give as_of where the table has a history"
    )


def _comparable(column: pl.Expr, left: pl.DataType, right: pl.DataType, where: str) -> pl.Expr:
    """The right column with the left one's type, where both hold the same kind of value."""
    if left == right:
        return column
    alike = (left.is_integer() and right.is_integer()) or (
        isinstance(left, pl.Datetime) and isinstance(right, pl.Datetime) and left.time_zone == right.time_zone
    )
    if not alike:
        raise FeatureError(f"{where} is {right} and is compared with {left}; cast one of them in its data document")
    return column.cast(left, strict=False)
