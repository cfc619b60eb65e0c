"""A bronze batch in silver's shape: declared types, then the document's steps; and the values that do not parse."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.batch import ADDED_COLUMNS
from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.transforms import transformed
from mlops_assets.lake.types import COLUMN_TYPES, cast

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

ROW, FAILED = "_row", "_failed_rules"
UNREADABLE = pl.Schema({ROW: pl.Int64(), FAILED: pl.List(pl.String())})


@dataclass(frozen=True)
class Shaped:
    """`frame` has each row's number in the batch as `_row`; `unreadable` names, for the rows not in it, the columns
    whose text is not of the declared type (`_row`, `_failed_rules`). Rows added and removed are counted by step;
    `folded` counts the extra rows that an `explode` had made of unreadable batch rows.
    """

    frame: pl.DataFrame
    unreadable: pl.DataFrame
    added: Mapping[str, int]
    removed: Mapping[str, int]
    folded: int = 0


def arrived(config: "DataConfig", bronze: pl.DataFrame) -> pl.DataFrame:
    """Bronze rows with the source's columns, and bronze's own that `arrival_columns` keeps, under its names."""
    renamed = [pl.col(own).alias(name) for own, name in config.arrival_columns.items()]
    return bronze.with_columns(renamed).drop(ADDED_COLUMNS)


def shape(config: "DataConfig", batch: pl.DataFrame, as_of: datetime) -> Shaped:
    """The batch after its declared types and every step but `deduplicate`, which comes after the rules."""
    frame = batch.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    frame, unreadable = _typed(frame, config)
    failures = [unreadable]
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    folded = 0
    for step in config.transformation_steps:
        if step.type == "deduplicate":
            continue
        before = frame
        frame = transformed(frame, step, as_of)
        if step.type in ("cast", "parse_date"):
            frame, broken = _split_unreadable(before, frame, wanted_types(step))
            failures.append(broken)
            folded += before.height - frame.height - broken.height
        else:
            (added if frame.height > before.height else removed)[step.type] += abs(frame.height - before.height)
    return Shaped(
        frame,
        pl.concat(failures),
        {k: n for k, n in added.items() if n},
        {k: n for k, n in removed.items() if n},
        folded,
    )


def without_duplicates(config: "DataConfig", frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """One row per key, by the document's `deduplicate` steps and, for a merge, by its primary keys (the last row
    wins); and how many rows each removed.
    """
    steps = [step for step in config.transformation_steps if step.type == "deduplicate"]
    if not steps and config.mode != "merge":
        return frame, {}
    unique = frame
    for step in steps:
        unique = transformed(unique, step, datetime.now(UTC))
    removed = {"deduplicate": frame.height - unique.height}
    if config.mode == "merge":
        ordered = unique.sort(config.sequence, maintain_order=True, nulls_last=False) if config.sequence else unique
        merged = ordered.unique(subset=list(config.primary_keys), keep="last", maintain_order=True)
        return merged, {**removed, "merge": unique.height - merged.height}
    return unique, removed


def require_declared(config: "DataConfig", present: Sequence[str]) -> None:
    """Raise LakeError for the first declared column that is not `present`, with the nearest."""
    for column in config.columns:
        if column not in present:
            raise LakeError(f"no column '{column}', which the document declares{nearest(column, present)}")


def _typed(frame: pl.DataFrame, config: "DataConfig") -> tuple[pl.DataFrame, pl.DataFrame]:
    require_declared(config, frame.columns)
    wanted = {name: kind for name, kind in config.columns.items() if frame.schema[name] != COLUMN_TYPES[kind]}
    formats = {"date": config.reader.date_format, "datetime": config.reader.datetime_format}
    typed = frame.with_columns(
        cast(name, frame.schema[name], kind, format=formats.get(kind)).alias(name) for name, kind in wanted.items()
    )
    return _split_unreadable(frame, typed, wanted)


def wanted_types(step: object) -> dict[str, str]:
    """The target types of a `cast` or `parse_date` step, by column."""
    columns = step.columns  # type: ignore[attr-defined]
    if isinstance(columns, Mapping):
        return dict(columns)
    return dict.fromkeys(columns, "datetime" if step.datetime else "date")  # type: ignore[attr-defined]


def _split_unreadable(
    before: pl.DataFrame, after: pl.DataFrame, wanted: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose values parse, and `_row` with `_failed_rules` (`arr_delay_is_int`) of the others."""
    broken = [
        after.select(ROW, pl.lit([f"{name}_is_{kind}"]).alias(FAILED)).filter(
            before[name].is_not_null() & after[name].is_null()
        )
        for name, kind in wanted.items()
    ]
    reasons = pl.concat([pl.DataFrame(schema=UNREADABLE), *(part for part in broken if part.height)])
    unreadable = reasons.group_by(ROW, maintain_order=True).agg(
        pl.col(FAILED).list.explode(keep_nulls=False, empty_as_null=False)
    )
    return (after.join(unreadable, on=ROW, how="anti") if unreadable.height else after), unreadable
