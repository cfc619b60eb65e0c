"""What an engine does with the rows of tables. When, in which order, and under which names is decided once, by callers.

What a table's log says (versions, transactions, schema, row counts) is read by delta-rs on every engine: `lake.delta`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import polars as pl

from mlops_assets.lake.batch import Batch, Run
from mlops_assets.lake.sources import SourceFile
from mlops_assets.lake.stretches import Stretch
from mlops_assets.lake.writing import CONFIGURATION, Seen, Written
from mlops_assets.rules import Rule, RuleOutcome

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

F = TypeVar("F")


class Engine(Protocol[F]):
    """Reads, reshapes and writes rows as frames `F` of its own. Both engines give the same rows and columns.

    A write records `transactions`, a name and a number each, the first in the very commit of the rows. Where the table
    does not say what the writer has `seen` of such names, another run was faster: nothing is written, and `Overtaken`
    is raised.
    """

    def scan(self, path: str, at: int | None = None) -> Any:
        """A table's rows at a version or now, lazily, as rules read another table."""

    def read_file(self, file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> F:
        """One source file's rows, in its order. Declared columns of a text format are text; undeclared ones take the
        type that the table has (`known`), or else the one that their values suggest.

        Raises:
            LakeError: the file cannot be read, or lacks a declared column.
        """

    def appended(self, path: str, after: int | None, until: int) -> F:
        """Rows of the files that were added to a Delta table between two versions.

        Raises:
            LakeError: rows were updated or deleted in between.
        """

    def columns(self, frame: F) -> list[str]:
        """The frame's columns, in order."""

    def stamped(self, frame: F, source: str, left_out: Sequence[str]) -> F:
        """Rows as bronze takes them: without the columns `left_out`, with `_source_file`, `_ingested_at`, `_row_id`
        (the row's place in its source, from 0).
        """

    def keep(self, frame: F) -> F:
        """Mark a frame that is read more than once, so that it is not evaluated again until other rows are read."""

    def put_aside(self, frame: F, file: Path) -> Any:
        """The frame out of memory if memory is limited, into `file`: the input of the next two methods."""

    def back(self, frame: Any) -> F:
        """A frame that was put aside."""

    def together(self, frames: Sequence[Any]) -> Any:
        """Frames that were put aside, one after another, as `append` and `overwrite` take rows batch by batch."""

    def broken(self, bad: Any) -> Mapping[str, int]:
        """How many rows of a batch's `bad`, put aside or not, break each rule."""

    def parted(self, config: "DataConfig", frame: F) -> F:
        """The frame with `_partition`, the key of each row's partition; null where it belongs to none."""

    rows_at_once: int | None
    """The approximate maximum of rows per stretch; None if the engine has no limit."""

    def arrivals(self, path: str, stretch: Stretch) -> F:
        """A stretch's rows in the order of their arrival."""

    def corrected(self, path: str, stretch: Stretch) -> Sequence[str]:
        """The source files whose rows a correcting stretch takes the place of."""

    def without(self, frame: F, path: str) -> F:
        """The rows of a frame that are not in the table at `path`, by `_source_file` and `_row_id`."""

    def with_vanished(self, config: "DataConfig", frame: F, bronze: str, quarantine: str, stretch: Stretch) -> F:
        """What a merge must write for the rows of a correcting stretch: `_gone` is false for them, null for the newest
        other rows of keys that the correction no longer has, true for keys that are nowhere else.
        """

    def history(self, config: "DataConfig", frame: F, silver: str) -> F:
        """What a merge on the primary keys and `valid_from` must write, so that the keys' histories have the rows of
        `frame`; `_gone` is true for versions that are no more.
        """

    def table_outcomes(
        self, config: "DataConfig", parts: Iterable[F], run: Run, others: Mapping[str, Any], rules: Sequence[Rule]
    ) -> Sequence[RuleOutcome]:
        """Table-level rules over all rows of `parts` together."""

    def distinct(self, frame: F, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The values that rows have in some columns, each once."""

    def count(self, frame: F) -> int:
        """The number of rows."""

    def changes(self, path: str, after: int | None, until: int | None = None, *, keys: Sequence[str] = ()) -> F:
        """Rows inserted or updated after version `after` (None: all) up to `until` (None: now); of those with the same
        `keys`, where given, the newest form only.
        """

    def vanished(self, path: str, after: int, until: int, *, keys: Sequence[str]) -> F:
        """The `keys` whose rows were there at version `after` or came since, and of which none is there at `until`."""

    def prepare(
        self,
        config: "DataConfig",
        bronze: F,
        run: Run,
        others: Mapping[str, Any],
        rules: Sequence[Rule] | None = None,
    ) -> Batch[F]:
        """Bronze rows shaped and validated by the document's rules, or by `rules` in their place. Writes nothing."""

    def without_duplicates(self, config: "DataConfig", frame: F) -> tuple[F, dict[str, int]]:
        """One row a key, by the document's own steps and, for a merge, by its primary keys (the last row wins); and
        how many rows each removed.
        """

    def fitting(self, path: str, frame: F) -> None:
        """Raise LakeError where the table at `path`, if there is one, has a column of the frame as a type that would
        not keep its values; so do `append` and `merge`, before anything is written.
        """

    def append(
        self,
        path: str,
        frame: F,
        *,
        transactions: Mapping[str, int],
        seen: Seen | None = None,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] = CONFIGURATION,
        add_columns: bool = False,
    ) -> Written:
        """Add the rows of `frame`; a table that does not exist is created, with `properties`."""

    def overwrite(
        self,
        path: str,
        frame: F,
        *,
        transactions: Mapping[str, int],
        seen: Seen | None = None,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] = CONFIGURATION,
        where: str | None = None,
    ) -> Written:
        """Replace the table's rows and columns by those of `frame`, or only the rows `where` a SQL condition holds;
        older versions stay readable.
        """

    def merge(
        self,
        path: str,
        frame: F,
        *,
        keys: Sequence[str],
        transactions: Mapping[str, int],
        seen: Seen | None = None,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] = CONFIGURATION,
        newer: str | None = None,
        gone: str | None = None,
    ) -> Written:
        """Update the rows whose `keys` are there, insert the others. `frame` holds each key once, and no null key;
        columns that only one of the two has are null in the rows of the other.

        With `newer`, a row is only updated where the SQL condition on `source` and `target` holds. With `gone`, rows of
        `frame` that are true in that column, which is not written, delete theirs.
        """
