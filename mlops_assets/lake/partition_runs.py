"""Runs of partitions: each refines the rows of its own partition, in any order, once.

Every partition records its own position in bronze. Rows that belong to no partition go to the quarantine with
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
    """Write the new rows of partitions `keys` (None: of all that have any) to silver or the quarantine; the first
    partition that is blocked stops the run, after those before it were written.
    """
    newest = delta.version(tables.bronze)
    if newest is None:
        return Refined(RowCount())
    wanted = partitions_since(tables.bronze, log.recorded(tables.silver), newest) if keys is None else keys
    results = [refine(config, tables, run, others, engine, Scope(True, None))]
    for key in wanted:
        results.append(refine(config, tables, run, others, engine, Scope(True, key)))
        if results[-1].blocked:
            blocked = tuple(f"partition {key}: {reason}" for reason in results[-1].blocked)
            return Refined(results[-1].rows, results[-1].outcomes, blocked)
    return _sum_of(results)


def _sum_of(results: Sequence[Refined]) -> Refined:
    rows = sum((each.rows for each in results), RowCount())
    # The first result is of rows without a partition, to which the document's rules do not apply.
    outcomes_of_partitions = [each.outcomes for each in results[1:] if each.outcomes]
    return Refined(rows, tuple(added(outcomes, EXAMPLES) for outcomes in zip(*outcomes_of_partitions, strict=True)))
