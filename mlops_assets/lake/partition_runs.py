"""Runs of partitions: each brings its own partition's rows into silver, in any order, once.

Every partition keeps its own record of how far it has come. Rows that belong to no partition go to the quarantine with
whichever run sees them first.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta, log
from mlops_assets.lake.batch import Run
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.refine import DataTables, Refined, refine
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.stretches import Scope, partitions_since
from mlops_assets.rules.outcome import added

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

EXAMPLES = 3


def refine_partitions(
    config: "DataConfig",
    tables: DataTables,
    run: Run,
    others: Mapping[str, Any],
    engine: Engine[Any],
    keys: Sequence[str] | None,
) -> Refined:
    """Bring the new rows of partitions `keys` (None: of all that have any) into silver or the quarantine; the first
    partition whose rows must stop everything stops the run, with those before it written.
    """
    newest = delta.version(tables.bronze)
    if newest is None:
        return Refined(RowCount())
    wanted = partitions_since(tables.bronze, log.recorded(tables.silver), newest) if keys is None else keys
    done = [refine(config, tables, run, others, engine, Scope(True, None))]
    for key in wanted:
        done.append(refine(config, tables, run, others, engine, Scope(True, key)))
        if done[-1].blocked:
            blocked = tuple(f"partition {key}: {reason}" for reason in done[-1].blocked)
            return Refined(done[-1].rows, done[-1].outcomes, blocked)
    return _together(done)


def _together(done: Sequence[Refined]) -> Refined:
    rows = sum((each.rows for each in done), RowCount())
    # Rows without a partition are asked no other rule.
    asked = [each.outcomes for each in done[1:] if each.outcomes]
    return Refined(rows, tuple(added(outcomes, EXAMPLES) for outcomes in zip(*asked, strict=True)))
