"""The bronze table that a run writes, and what the run ingested."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta
from mlops_assets.lake.batch import OWN_COLUMNS
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.evolution import left_out
from mlops_assets.lake.stretches import PARTITION

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


@dataclass(frozen=True)
class Ingested:
    """What one run ingested into a bronze table; `columns_ignored` are those that `schema_evolution` left out."""

    table: str
    version: int | None
    rows: int = 0
    files: tuple[str, ...] = ()
    known: int = 0
    ignored: tuple[str, ...] = ()
    columns_ignored: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The bronze table that a run writes, its document and engine, and the transactions `recorded` in its log."""

    config: "DataConfig"
    table: str
    engine: Engine[Any]
    recorded: Mapping[str, int]

    def left_out(self, frame: Any, source: str) -> tuple[str, ...]:
        """The frame's columns that the table does not take, by the document's `schema_evolution`.

        Raises:
            LakeError: a column that is taken has a reserved name.
        """
        known = delta.schema(self.table) if delta.exists(self.table) else None
        columns = self.engine.columns(frame)
        without = left_out(self.config, columns, known, source)
        for name in columns:
            if name in OWN_COLUMNS and name not in without:
                raise LakeError(
                    f"{source}: column '{name}' has a reserved name; rename it at its source, or declare the "
                    "`columns` to take and set `schema_evolution: ignore`"
                )
            if name in self.config.arrival_columns.values() and name not in without:
                raise LakeError(
                    f"{source}: column '{name}' has a name that `arrival_columns` gives; choose another there"
                )
        return without

    def stamped(self, frame: Any, source: str, without: tuple[str, ...]) -> Any:
        """The frame with the columns that bronze adds; raises LakeError if it lacks the partition column."""
        rows = self.engine.stamped(frame, source, without)
        if self.config.partitions is None:
            return rows
        column, present = self.config.partitions.column, self.engine.columns(rows)
        if column not in present:
            raise LakeError(f"{source}: no column '{column}', which `partitions` names{nearest(column, present)}")
        return self.engine.parted(self.config, rows)

    def commit(self, numbers: Mapping[str, int]) -> delta.Commit:
        """The arguments of a commit: the transactions to record, and what this run has `seen` of the first of them."""
        return {
            "transactions": numbers,
            "seen": {name: self.recorded.get(name) for name in list(numbers)[:1]},
            "partition_by": [PARTITION] if self.config.partitions else [],
        }
