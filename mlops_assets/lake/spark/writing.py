"""Writing Delta tables through Spark: appends and overwrites, as in `lake.writing`.

Spark enforces a transaction: a write whose number is not above the one recorded under its name writes nothing. It
takes one a commit, so a write with several is followed by a commit without rows for each further one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError, Overtaken
from mlops_assets.lake.fitting import refuse_misfits
from mlops_assets.lake.spark.storable import normalised
from mlops_assets.lake.spark.types import polars_schema
from mlops_assets.lake.writing import CONFIGURATION, Seen, Written
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Conflict(LakeError):
    """Another writer committed in between; the write can be tried again."""


on_conflict = retry(
    retry=retry_if_exception_type(Conflict),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    stop=stop_after_attempt(10),
    reraise=True,
)


@on_conflict
def append(
    path: str,
    frame: "DataFrame",
    *,
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    properties: Mapping[str, str] = CONFIGURATION,
    add_columns: bool = False,
) -> Written:
    """Add the rows of `frame` and record `transactions`."""
    options = {"mergeSchema": "true"} if add_columns else {}
    return _write(path, frame, "append", transactions, seen, partition_by, properties, options)


@on_conflict
def overwrite(
    path: str,
    frame: "DataFrame",
    *,
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    properties: Mapping[str, str] = CONFIGURATION,
    where: str | None = None,
) -> Written:
    """Replace the table's rows and columns by those of `frame`, or only the rows `where` a SQL condition holds."""
    part = {"replaceWhere": where, "mergeSchema": "true"} if where and delta.exists(path) else None
    options = part or {"overwriteSchema": "true"}
    return _write(path, frame, "overwrite", transactions, seen, partition_by, properties, options)


def _write(
    path: str,
    frame: "DataFrame",
    mode: str,
    transactions: Mapping[str, int],
    seen: Seen | None,
    partition_by: Sequence[str],
    properties: Mapping[str, str],
    options: Mapping[str, str],
) -> Written:
    from pyspark.sql import Observation

    f, counted = functions(), Observation()
    first, further = list(transactions.items())[:1], list(transactions.items())[1:]
    require(path, seen, *first)
    if "overwriteSchema" not in options:
        fitting(path, frame)
    writer = normalised(frame).observe(counted, f.count(f.lit(1)).alias("rows")).write.format("delta").mode(mode)
    for name, number in first:
        writer = writer.option("txnAppId", name).option("txnVersion", number)
    if partition_by:
        writer = writer.partitionBy(*partition_by)
    with as_write_error(path):
        writer.options(**options, **({} if delta.exists(path) else properties)).save(path)
    record(path, frame, further)
    return Written(delta.latest(path), inserted=counted.get["rows"])


def fitting(path: str, frame: "DataFrame") -> None:
    """Refuse columns whose values the table's columns cannot hold, if there is a table."""
    if delta.exists(path):
        refuse_misfits(path, polars_schema(frame), delta.schema(path))


def record(path: str, frame: "DataFrame", transactions: Sequence[tuple[str, int]]) -> None:
    """Commits without rows; a kill before them leaves the first transaction, which came with the rows."""
    for name, number in transactions:
        nothing = normalised(frame).limit(0).write.format("delta").mode("append")
        nothing.option("txnAppId", name).option("txnVersion", number).save(path)


def require(path: str, seen: Seen | None, *transactions: tuple[str, int]) -> None:
    """Refuse what another run has overtaken, and a number that Spark would take for a write that was made before."""
    for name, number in (seen or {}).items():
        found = delta.transaction_version(path, name)
        if found != number:
            raise Overtaken(f"{path}: another run has written '{name}' {found}; this one had seen {number}")
    for name, number in transactions:
        known = delta.transaction_version(path, name)
        if known is not None and known >= number:
            raise Overtaken(f"{path}: '{name}' has recorded {known}; Spark writes nothing under {number} any more")


@contextmanager
def as_write_error(path: str) -> Iterator[None]:
    """Turn a worker's LakeError and Delta's concurrency errors into LakeError, Overtaken and Conflict."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        text = str(error)
        _, found, sentence = text.partition("LakeError: ")
        if found:
            raise LakeError(sentence.splitlines()[0].partition(" SQLSTATE:")[0]) from error
        if "DELTA_CONCURRENT_TRANSACTION" in text:
            raise Overtaken(f"{path}: another run has written the same") from error
        if "DELTA_CONCURRENT" in text or "DELTA_METADATA_CHANGED" in text:
            raise Conflict(f"{path}: {text.splitlines()[0]}") from error
        raise
