"""A model's table of predictions, kept up with its feature table: each row is scored once.

New rows are scored by the champion. A window of time that is scored again is scored by the version that was champion
when the window ended, or by the first champion where there was none yet, and its rows replace those that were there.
Rows that the version had learned from are left out and counted: an honest score is of rows it has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.features.table import identity
from mlops_assets.lake import delta
from mlops_assets.lake.partition import window_end, window_key
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.registry.reigns import champion_at, first_champion
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import load_served_model

if TYPE_CHECKING:
    from mlops_assets.config import FeatureConfig
    from mlops_assets.config.partitions import PartitionsConfig

FEATURES = "features"  # the transaction that says up to which version of the feature table rows are scored
PARTITION = "partition"  # the column that says which window a row is of, where there are windows


@dataclass(frozen=True)
class Scored:
    """What a scoring did: rows scored, rows that the version had learned from, the versions that scored."""

    rows: int
    learned_from: int
    versions: tuple[str, ...]

    def __add__(self, other: "Scored") -> "Scored":
        return Scored(
            self.rows + other.rows, self.learned_from + other.learned_from, tuple({*self.versions, *other.versions})
        )


@dataclass(frozen=True)
class Scoring:
    """A model, the paths of its feature table and its predictions, and the windows the latter are parted by."""

    model: str
    source: str
    table: str
    features: "FeatureConfig"
    registry: ModelRegistry
    windows: "PartitionsConfig | None" = None

    def new_rows(self) -> Scored:
        """Score what the feature table has gained since the last time. Raises RegistryError without a champion."""
        champion = self.registry.require_champion(self.model)
        newest, done = delta.latest(self.source), delta.transaction_version(self.table, FEATURES)
        fresh = self._not_yet_scored(self._changes(done, newest), newest, done)
        scored, learned_from = self._scored(fresh, champion)
        if done != newest:
            parts = [PARTITION] if self.windows else []
            transactions, seen = {FEATURES: newest}, {FEATURES: done}
            delta.append(self.table, scored, transactions=transactions, seen=seen, partition_by=parts)
        return Scored(scored.height, learned_from, (champion.version,))

    def again(self, keys: Sequence[str]) -> Scored:
        """Score all rows of these windows, each by the champion of its time. Raises RegistryError without one."""
        newest = delta.latest(self.source)
        done = Scored(0, 0, ())
        for key in keys:
            version = self.version_of(key)
            rows = self._parted(delta.scan(self.source, newest)).filter(pl.col(PARTITION) == key).collect()
            scored, learned_from = self._scored(rows, version)
            delta.replace(self.table, scored, partitions={PARTITION: [key]}, transactions={_window(key): newest})
            done += Scored(scored.height, learned_from, (version.version,))
        return done

    def version_of(self, key: str) -> ModelVersion:
        """The champion at the end of a window; the first one where there was none yet."""
        assert self.windows is not None
        known = self.registry.versions(self.model)
        then = champion_at(known, window_end(key, self.windows)) or first_champion(known)
        return then or self.registry.require_champion(self.model)

    def _changes(self, after: int | None, newest: int) -> pl.DataFrame:
        return self._parted(delta.changes(self.source, after, newest, keys=self.features.primary_keys).lazy()).collect()

    def _parted(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with the key of the window that each is of, null outside of them."""
        if self.windows is None:
            return rows
        return rows.with_columns(window_key(pl.col(self.features.timestamp_column), self.windows).alias(PARTITION))

    def _not_yet_scored(self, fresh: pl.DataFrame, newest: int, done: int | None) -> pl.DataFrame:
        """Without what a window's own scoring has had already: of those windows, what came after it."""
        if self.windows is None or fresh.is_empty():
            return fresh
        keys = fresh[PARTITION].drop_nulls().unique().sort().to_list()
        ahead = {key: had for key in keys if (had := delta.transaction_version(self.table, _window(key))) is not None}
        ahead = {key: had for key, had in ahead.items() if done is None or had > done}
        others = fresh.filter(~pl.col(PARTITION).is_in(list(ahead)).fill_null(False))
        later = [self._changes(had, newest).filter(pl.col(PARTITION) == key) for key, had in ahead.items()]
        return pl.concat([others, *later])

    def _scored(self, rows: pl.DataFrame, version: ModelVersion) -> tuple[pl.DataFrame, int]:
        unseen = later_than(version.trained_until, self.features.timestamp_column, rows)
        model = load_served_model(self.registry.local_path(version))
        keep = [*identity(self.features), *([PARTITION] if self.windows else [])]
        return score(model, unseen, version=version.version, keep=keep), rows.height - unseen.height


def later_than(until: datetime | None, timestamp: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows after a time, all where there is none."""
    return rows if until is None else rows.filter(pl.col(timestamp) > until)


def _window(key: str) -> str:
    """The transaction that says up to which version of the feature table a window was scored again."""
    return f"{PARTITION} {key}"
