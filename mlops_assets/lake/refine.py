"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that
order.

The quarantine keeps bronze's columns unchanged. Both tables record their position in bronze, and the quarantine is
written first: after a kill between the two commits, silver gets the rows not in the quarantine, and no row twice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from mlops_assets.lake import delta
from mlops_assets.lake.batch import Batch, Run, silver_rules
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.errors import Overtaken
from mlops_assets.lake.identity import another_bronze, refuse_another
from mlops_assets.lake.refined_writes import write, write_good
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.stretches import Position, Scope, Stretch, between, position, stretches
from mlops_assets.lake.survey import Survey, blocking, survey, together
from mlops_assets.lake.temporary import temporary_folder
from mlops_assets.rules import Rule, RuleOutcome

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

EVERYTHING = Scope()
retry_if_overtaken = retry(
    retry=retry_if_exception_type(Overtaken),
    wait=wait_random_exponential(multiplier=0.1, max=3),
    # A run is only overtaken by one that made progress, so retrying ends.
    stop=stop_after_delay(600),
    reraise=True,
)


@dataclass(frozen=True)
class DataTables:
    """Paths of the three tables of a data document."""

    bronze: str
    silver: str
    quarantine: str


@dataclass(frozen=True)
class Refined:
    """The result of one run; if `blocked` has reasons, nothing was written."""

    rows: RowCount
    outcomes: tuple[RuleOutcome, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """The configuration, tables and engine of one run, and its results so far."""

    config: "DataConfig"
    tables: DataTables
    run: Run
    others: Mapping[str, Any]
    engine: Engine[Any]
    scope: Scope
    committed: list[RowCount] = field(default_factory=list)
    asked: list[tuple[RuleOutcome, ...]] = field(default_factory=list)

    @property
    def rows(self) -> RowCount:
        """The rows that this run has committed, including those before another run overtook it."""
        return sum(self.committed, RowCount())

    @property
    def outcomes(self) -> tuple[RuleOutcome, ...]:
        """The rule outcomes of the last rows validated."""
        return self.asked[-1] if self.asked else ()

    @property
    def overwrites(self) -> bool:
        """Whether a run's rows replace existing ones."""
        return self.config.mode.startswith("overwrite")

    @property
    def nowhere(self) -> bool:
        """Whether the rows belong to no partition: all are quarantined, and block nothing."""
        return self.scope.parted and self.scope.partition is None

    @property
    def rules(self) -> list[Rule]:
        """The rules that apply to the rows."""
        return [nowhere(self.config)] if self.nowhere else silver_rules(self.config)


def nowhere(config: "DataConfig") -> Rule:
    """The rule that a row without a partition breaks."""
    column = config.partitions.column if config.partitions else ""
    return Rule(f"{column}_is_in_a_partition", "1 == 2", description="Rows of no partition wait in quarantine.")


def refine(
    config: "DataConfig",
    tables: DataTables,
    run: Run,
    others: Mapping[str, Any],
    engine: Engine[Any],
    scope: Scope = EVERYTHING,
) -> Refined:
    """Bring the bronze rows of `scope` that silver does not have yet into silver or the quarantine.

    `others` are the engine's frames of the tables that rules may name (`tailnum in planes.tailnum`). If two runs do so
    concurrently, each row is written by one of them.

    Raises:
        LakeError, RuleError: a step or a rule does not fit the table's columns. Nothing was written.
    """
    return _refine_pending(Work(config, tables, run, others, engine, scope))


@retry_if_overtaken
def _refine_pending(work: Work) -> Refined:
    newest = delta.version(work.tables.bronze)
    if newest is None:
        return Refined(RowCount())
    tables = work.tables
    refuse_another(tables.bronze, (tables.silver, tables.quarantine))
    done = _finished(work)
    if done is not None and done.version > newest:
        raise another_bronze(tables.bronze, (tables.silver, tables.quarantine))
    later = done is None or done < Position(newest)
    found = _stretches(work, done, newest) if later else []
    if not found:
        return Refined(work.rows, work.outcomes)
    return _refine_stretch(work, found[0]) if len(found) == 1 else _refine_stretches(work, found)


def _stretches(work: Work, done: Position | None, newest: int) -> list[Stretch]:
    """The stretches to refine; as few as possible if the result for a row depends on all rows of its run."""
    deduplicates = any(step.type == "deduplicate" for step in work.config.transformation_steps)
    size = None if deduplicates else work.engine.rows_at_once
    found = stretches(work.tables.bronze, done, newest, work.scope, size)
    if work.overwrites and any(stretch.corrects for stretch in found):
        return stretches(work.tables.bronze, done, newest, work.scope, None)
    return found


def _finished(work: Work) -> Position | None:
    """The position of silver, after completing what a killed run wrote to the quarantine only."""
    done = position(work.tables.silver, work.scope.name)
    quarantined = position(work.tables.quarantine, work.scope.name)
    if quarantined is None or (done is not None and quarantined <= done):
        return done
    for stretch in between(work.tables.bronze, done, quarantined, work.scope):
        arrived = work.engine.without(work.engine.arrivals(work.tables.bronze, stretch), work.tables.quarantine)
        # Rows that were good then stay good, even if the rules, the day or other tables have changed.
        batch = work.engine.prepare(work.config, arrived, work.run, work.others, [])
        if batch.bad_rows:
            work.engine.append(work.tables.quarantine, batch.bad, transactions={}, add_columns=True)
        write_good(work, stretch, batch, batch.bad_rows)
    return quarantined


def _refine_stretch(work: Work, stretch: Stretch) -> Refined:
    """Rows that fit into memory are read once."""
    arrived = work.engine.arrivals(work.tables.bronze, stretch)
    batch = work.engine.prepare(work.config, arrived, work.run, work.others, work.rules)
    found = Survey.of(batch)
    blocked = _blocked(work, found, [batch])
    if blocked:
        return Refined(RowCount(batch.read, quarantined=batch.bad_rows), batch.outcomes, blocked)
    write(work, stretch, batch)
    return Refined(work.rows, work.outcomes)


def _refine_stretches(work: Work, found: Sequence[Stretch]) -> Refined:
    """A larger run validates all stretches before it writes the first, so that a blocked run writes nothing."""
    with temporary_folder() as folder:
        total, aside = survey(work, found, folder)
        blocked = _blocked(work, total, aside)
        if blocked:
            return Refined(RowCount(total.read, quarantined=total.bad), total.outcomes, blocked)
        if work.overwrites and not any(stretch.corrects for stretch in found):
            # An overwrite must be one commit: a second would replace the first.
            write(work, replace(found[-1], start=found[0].start), together(work.engine, aside))
        else:
            for stretch, batch in zip(found, aside, strict=True):
                good, bad = work.engine.back(batch.good), work.engine.back(batch.bad)
                write(work, stretch, replace(batch, good=good, bad=bad))
    return Refined(work.rows, work.outcomes)


def _blocked(work: Work, found: Survey, batches: Sequence[Batch[Any]]) -> tuple[str, ...]:
    def broken() -> Mapping[str, int]:
        return sum((Counter(work.engine.broken(batch.bad)) for batch in batches), Counter())

    work.asked.append(found.outcomes)
    return () if work.nowhere else blocking(work.config, found, delta.rows(work.tables.silver), broken)
