"""Merges on key with Spark's own statement; names and meaning as in `lake.merging`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.spark.delta import scan
from mlops_assets.lake.spark.storable import normalised
from mlops_assets.lake.spark.types import quoted
from mlops_assets.lake.spark.writing import append, as_write_error, fitting, on_conflict, record, require
from mlops_assets.lake.sql import name_in_sql
from mlops_assets.lake.writing import CONFIGURATION, Seen, Written
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

_TRANSACTION = ("spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion")


@on_conflict
def merge(
    path: str,
    frame: "DataFrame",
    *,
    keys: Sequence[str],
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    properties: Mapping[str, str] = CONFIGURATION,
    newer: str | None = None,
    gone: str | None = None,
) -> Written:
    """Update the rows whose `keys` are there, insert the others; columns that only one has are null in the other.

    `newer` and `gone` as in `merging.merge`.

    Raises:
        LakeError: a column has a back-tick in its name, which Delta's change feed cannot read in a merge.
    """
    _require_plain_names(frame.columns)
    f = functions()
    if not delta.exists(path):
        kept = frame.where(~f.coalesce(quoted(gone), f.lit(False))).drop(gone) if gone else frame
        return append(
            path, kept, transactions=transactions, seen=seen, partition_by=partition_by, properties=properties
        )
    fitting(path, frame)
    wide = _widened(path, frame, marker=gone)
    first, *further = transactions.items()
    require(path, seen, first)
    with as_write_error(path), _recorded(frame.sparkSession, *first):
        done = _merged(path, wide, keys, newer, gone)
    record(path, frame.drop(gone) if gone else frame, further)
    return Written(delta.latest(path), done["num_inserted_rows"], done["num_updated_rows"], done["num_deleted_rows"])


def _require_plain_names(names: Sequence[str]) -> None:
    for name in names:
        if "`" in name:
            raise LakeError(
                f"column '{name}': Spark cannot merge a column whose name has a back-tick; rename it with a step "
                "rename_columns"
            )


def _merged(path: str, frame: "DataFrame", keys: Sequence[str], newer: str | None, gone: str | None) -> "Row":
    """What the SQL statement says that it did."""
    source, session = f"merged_{uuid4().hex}", frame.sparkSession
    columns = [name_in_sql(name) for name in frame.columns if name != gone]
    same = " AND ".join(f"target.{name_in_sql(key)} = source.{name_in_sql(key)}" for key in keys)
    update = ", ".join(f"target.{name} = source.{name}" for name in columns)
    values = ", ".join(f"source.{name}" for name in columns)
    frame.createOrReplaceTempView(source)
    try:
        return session.sql(
            f"MERGE INTO delta.{name_in_sql(path)} AS target USING {source} AS source ON {same} "
            + (f"WHEN MATCHED AND coalesce(source.{name_in_sql(gone)}, false) THEN DELETE " if gone else "")
            + f"WHEN MATCHED {f'AND ({newer}) ' if newer else ''}THEN UPDATE SET {update} "
            + f"WHEN NOT MATCHED {f'AND NOT coalesce(source.{name_in_sql(gone)}, false) ' if gone else ''}"
            + f"THEN INSERT ({', '.join(columns)}) VALUES ({values})"
        ).collect()[0]
    finally:
        session.catalog.dropTempView(source)


@contextmanager
def _recorded(session: "SparkSession", name: str, number: int) -> Iterator[None]:
    """What the session writes inside the block carries the transaction."""
    for setting, value in zip(_TRANSACTION, (name, str(number)), strict=True):
        session.conf.set(setting, value)
    try:
        yield
    finally:
        for setting in _TRANSACTION:
            session.conf.unset(setting)


def _widened(path: str, frame: "DataFrame", marker: str | None) -> "DataFrame":
    """The frame with every column of the table, after adding the frame's new columns, except `marker`, to the table."""
    known = scan(frame.sparkSession, path).schema
    if any(name not in known.names for name in frame.columns if name != marker):
        # A separate commit: new columns without values change no row, so a kill after it loses nothing.
        append(path, (frame.drop(marker) if marker else frame).limit(0), transactions={}, add_columns=True)
    missing = {each.name: functions().lit(None).cast(each.dataType) for each in known if each.name not in frame.columns}
    return normalised(frame.withColumns(missing) if missing else frame)
