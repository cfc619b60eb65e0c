"""Batch scoring: keeps a model's table of predictions up to date with its feature table, each row scored once.

New rows are scored by the champion. A window that is scored again is scored by the version that was champion when the
window ended (or the first champion, if there was none yet), and its predictions are replaced. Rows that the version was
trained on are skipped and counted, so that metrics are measured on unseen rows only.
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
from mlops_assets.registry.champions import champion_at, first_champion
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import load_served_model

if TYPE_CHECKING:
    from mlops_assets.config import FeatureConfig
    from mlops_assets.config.partitions import PartitionsConfig

FEATURES = "features"  # the transaction that records the version of the feature table up to which rows are scored
PARTITION = "partition"  # the column with the key of each row's window, if the predictions are partitioned


@dataclass(frozen=True)
class Scored:
    """The result of a scoring: rows scored, training rows skipped, and the versions used."""

    rows: int
    learned_from: int
    versions: tuple[str, ...]

    def __add__(self, other: "Scored") -> "Scored":
        return Scored(
            self.rows + other.rows, self.learned_from + other.learned_from, tuple({*self.versions, *other.versions})
        )


@dataclass(frozen=True)
class Scoring:
    """A model, the paths of its feature table (`source`) and predictions (`table`), and the latter's partitions."""

    model: str
    source: str
    table: str
    features: "FeatureConfig"
    registry: ModelRegistry
    windows: "PartitionsConfig | None" = None

    def new_rows(self) -> Scored:
        """Score the rows added to the feature table since the last time. Raises RegistryError without a champion."""
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
        """Score all rows of these windows again, each by the champion of its time. Raises RegistryError without one."""
        newest = delta.latest(self.source)
        scored_windows = Scored(0, 0, ())
        for key in keys:
            version = self.version_of(key)
            rows = self._parted(delta.scan(self.source, newest)).filter(pl.col(PARTITION) == key).collect()
            scored, learned_from = self._scored(rows, version)
            delta.replace(self.table, scored, partitions={PARTITION: [key]}, transactions={_window(key): newest})
            scored_windows += Scored(scored.height, learned_from, (version.version,))
        return scored_windows

    def version_of(self, key: str) -> ModelVersion:
        """The champion at the end of a window; the first champion if there was none yet."""
        assert self.windows is not None
        versions = self.registry.versions(self.model)
        champion = champion_at(versions, window_end(key, self.windows)) or first_champion(versions)
        return champion or self.registry.require_champion(self.model)

    def _changes(self, after: int | None, newest: int) -> pl.DataFrame:
        return self._parted(delta.changes(self.source, after, newest, keys=self.features.primary_keys).lazy()).collect()

    def _parted(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with the key of each row's window; null outside all windows."""
        if self.windows is None:
            return rows
        return rows.with_columns(window_key(pl.col(self.features.timestamp_column), self.windows).alias(PARTITION))

    def _not_yet_scored(self, fresh: pl.DataFrame, newest: int, done: int | None) -> pl.DataFrame:
        """The new rows without those that were already scored when their window was scored again."""
        if self.windows is None or fresh.is_empty():
            return fresh
        keys = fresh[PARTITION].drop_nulls().unique().sort().to_list()
        scored_apart = {
            key: had for key in keys if (had := delta.transaction_version(self.table, _window(key))) is not None
        }
        scored_apart = {key: had for key, had in scored_apart.items() if done is None or had > done}
        others = fresh.filter(~pl.col(PARTITION).is_in(list(scored_apart)).fill_null(False))
        later = [self._changes(had, newest).filter(pl.col(PARTITION) == key) for key, had in scored_apart.items()]
        return pl.concat([others, *later])

    def _scored(self, rows: pl.DataFrame, version: ModelVersion) -> tuple[pl.DataFrame, int]:
        unseen = later_than(version.trained_until, self.features.timestamp_column, rows)
        model = load_served_model(self.registry.local_path(version))
        keep = [*identity(self.features), *([PARTITION] if self.windows else [])]
        return score(model, unseen, version=version.version, keep=keep), rows.height - unseen.height


def later_than(until: datetime | None, timestamp: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows after a time; all if `until` is None."""
    return rows if until is None else rows.filter(pl.col(timestamp) > until)


def _window(key: str) -> str:
    """The transaction that records the version of the feature table up to which a window was scored again."""
    return f"{PARTITION} {key}"
