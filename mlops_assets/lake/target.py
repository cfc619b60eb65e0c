"""The bronze table that a run writes, and what one run brought into it."""

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
    """What one run brought into a bronze table; `columns_ignored` are those that `schema_evolution` left out."""

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
    """The bronze table that a run writes, with what, and what its log says was ingested."""

    config: "DataConfig"
    table: str
    engine: Engine[Any]
    recorded: Mapping[str, int]

    def left_out(self, frame: Any, source: str) -> tuple[str, ...]:
        """Those of the frame's columns that the table does not take, as `schema_evolution` says.

        Raises:
            LakeError: one that is taken has a name that the tables have for themselves.
        """
        known = delta.schema(self.table) if delta.exists(self.table) else None
        columns = self.engine.columns(frame)
        without = left_out(self.config, columns, known, source)
        for name in columns:
            if name in OWN_COLUMNS and name not in without:
                raise LakeError(
                    f"{source}: column '{name}' has a name that the tables have for themselves; rename it at its "
                    "source, or declare the `columns` to take and say `schema_evolution: ignore`"
                )
            if name in self.config.arrival_columns.values() and name not in without:
                raise LakeError(
                    f"{source}: column '{name}' has a name that `arrival_columns` gives; give another there"
                )
        return without

    def stamped(self, frame: Any, source: str, without: tuple[str, ...]) -> Any:
        """The frame as bronze takes it; raises LakeError where it lacks the column that says the partition."""
        rows = self.engine.stamped(frame, source, without)
        if self.config.partitions is None:
            return rows
        column, present = self.config.partitions.column, self.engine.columns(rows)
        if column not in present:
            raise LakeError(f"{source}: no column '{column}', which `partitions` names{nearest(column, present)}")
        return self.engine.parted(self.config, rows)

    def commit(self, numbers: Mapping[str, int]) -> delta.Commit:
        """What the table records, where it still says what this run has seen there of the first."""
        return {
            "transactions": numbers,
            "seen": {name: self.recorded.get(name) for name in list(numbers)[:1]},
            "partition_by": [PARTITION] if self.config.partitions else [],
        }
