"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that
order.

The quarantine keeps bronze's columns untouched. Both tables record how far in bronze they have come, and the quarantine
is written first: after a kill between the two, silver gets the rows that the quarantine has not, and no row twice.
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
from mlops_assets.lake.identity import made_anew, refuse_another
from mlops_assets.lake.refined_writes import write, write_good
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.stretches import Position, Scope, Stretch, between, position, stretches
from mlops_assets.lake.survey import Survey, blocking, survey, together
from mlops_assets.lake.temporary import temporary_folder
from mlops_assets.rules import Rule, RuleOutcome

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

EVERYTHING = Scope()
at_once = retry(
    retry=retry_if_exception_type(Overtaken),
    wait=wait_random_exponential(multiplier=0.1, max=3),
    # Who is overtaken is so by another that goes on: it ends, however often it happens.
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
    """What one run brought into a silver table and its quarantine; where `blocked` says why, nothing was written."""

    rows: RowCount
    outcomes: tuple[RuleOutcome, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """What a run works on and with."""

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
        """What this run has committed, also before others overtook it."""
        return sum(self.committed, RowCount())

    @property
    def outcomes(self) -> tuple[RuleOutcome, ...]:
        """What the rules said of the rows that it looked at last."""
        return self.asked[-1] if self.asked else ()

    @property
    def overwrites(self) -> bool:
        """Whether a run's rows take the place of others."""
        return self.config.mode.startswith("overwrite")

    @property
    def nowhere(self) -> bool:
        """Whether the rows are those that belong to no partition: all wait in quarantine, and block nothing."""
        return self.scope.parted and self.scope.partition is None

    @property
    def rules(self) -> list[Rule]:
        """What the rows are asked."""
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

    `others` are the engine's frames of the tables that rules may name (`tailnum in planes.tailnum`). Where another run
    does the same at the same time, each row is brought by one of the two.

    Raises:
        LakeError, RuleError: a step or a rule does not fit the table's columns. Nothing was written.
    """
    return _brought(Work(config, tables, run, others, engine, scope))


@at_once
def _brought(work: Work) -> Refined:
    newest = delta.version(work.tables.bronze)
    if newest is None:
        return Refined(RowCount())
    tables = work.tables
    refuse_another(tables.bronze, (tables.silver, tables.quarantine))
    done = _finished(work)
    if done is not None and done.version > newest:
        raise made_anew(tables.bronze, (tables.silver, tables.quarantine))
    later = done is None or done < Position(newest)
    found = _stretches(work, done, newest) if later else []
    if not found:
        return Refined(work.rows, work.outcomes)
    return _one(work, found[0]) if len(found) == 1 else _many(work, found)


def _stretches(work: Work, done: Position | None, newest: int) -> list[Stretch]:
    """What is to be refined; as few as can be where what becomes of a row depends on all rows of its run."""
    deduplicates = any(step.type == "deduplicate" for step in work.config.transformation_steps)
    size = None if deduplicates else work.engine.rows_at_once
    found = stretches(work.tables.bronze, done, newest, work.scope, size)
    if work.overwrites and any(stretch.corrects for stretch in found):
        return stretches(work.tables.bronze, done, newest, work.scope, None)
    return found


def _finished(work: Work) -> Position | None:
    """How far silver has come, after a half that a killed run left has been written."""
    done = position(work.tables.silver, work.scope.name)
    held = position(work.tables.quarantine, work.scope.name)
    if held is None or (done is not None and held <= done):
        return done
    for stretch in between(work.tables.bronze, done, held, work.scope):
        arrived = work.engine.without(work.engine.arrivals(work.tables.bronze, stretch), work.tables.quarantine)
        # What went on then goes on now, whatever the rules, the day or other tables say by now.
        batch = work.engine.prepare(work.config, arrived, work.run, work.others, [])
        if batch.bad_rows:
            work.engine.append(work.tables.quarantine, batch.bad, transactions={}, add_columns=True)
        write_good(work, stretch, batch, batch.bad_rows)
    return held


def _one(work: Work, stretch: Stretch) -> Refined:
    """A run whose rows fit into memory reads them once."""
    arrived = work.engine.arrivals(work.tables.bronze, stretch)
    batch = work.engine.prepare(work.config, arrived, work.run, work.others, work.rules)
    found = Survey.of(batch)
    blocked = _blocked(work, found, [batch])
    if blocked:
        return Refined(RowCount(batch.read, quarantined=batch.bad_rows), batch.outcomes, blocked)
    write(work, stretch, batch)
    return Refined(work.rows, work.outcomes)


def _many(work: Work, found: Sequence[Stretch]) -> Refined:
    """A larger run looks at all stretches before it writes the first: what blocks must block all of it."""
    with temporary_folder() as folder:
        whole, aside = survey(work, found, folder)
        blocked = _blocked(work, whole, aside)
        if blocked:
            return Refined(RowCount(whole.read, quarantined=whole.bad), whole.outcomes, blocked)
        if work.overwrites and not any(stretch.corrects for stretch in found):
            # What replaces rows must do so at once: a run's second commit would replace its first.
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
