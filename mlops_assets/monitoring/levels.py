"""Exact counts of texts per level, each text hashed once, in blocks that stay in the processor's cache."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlops_assets.monitoring.bins import Ints

BLOCK = 32_768
SLOTS_A_LEVEL = 64


@dataclass(frozen=True, eq=False)
class LevelTable:
    """Which level a text is, by its 64-bit hash: looked up in a table of slots, and searched where a commoner level has
    its slot. Two texts with the same hash count as one.
    """

    levels: pl.Enum
    hashes: NDArray[np.uint64] = field(init=False)
    level_at: Ints = field(init=False)
    by_hash: Ints = field(init=False)

    def __post_init__(self) -> None:
        hashes = self.levels.categories.hash().to_numpy()
        slots = 1 << (SLOTS_A_LEVEL * len(hashes)).bit_length()
        level_at = np.zeros(slots, dtype=np.int64)
        # Levels come commonest first, and the last one written to a slot stays.
        level_at[_slot(hashes, slots)[::-1]] = np.arange(len(hashes))[::-1]
        object.__setattr__(self, "hashes", hashes)
        object.__setattr__(self, "level_at", level_at)
        object.__setattr__(self, "by_hash", np.argsort(hashes))

    def count(self, texts: pl.Series) -> Ints:
        """Rows per level, shape (levels,); null and texts that are no level are not counted."""
        counts = np.zeros(len(self.hashes), dtype=np.int64)
        if not len(counts):
            return counts
        hashes = texts.hash().to_numpy()
        for start in range(0, len(hashes), BLOCK):
            counts += self._block_counts(hashes[start : start + BLOCK])
        return counts

    def _block_counts(self, block: NDArray[np.uint64]) -> Ints:
        level = self.level_at.take(_slot(block, len(self.level_at)))
        found = self.hashes.take(level) == block
        if found.all():
            return np.bincount(level, minlength=len(self.hashes))
        level = np.concatenate([level[found], self._searched(block[~found])])
        return np.bincount(level, minlength=len(self.hashes))

    def _searched(self, block: NDArray[np.uint64]) -> Ints:
        place = np.searchsorted(self.hashes, block, sorter=self.by_hash)
        level = self.by_hash.take(place, mode="clip")
        return level.compress(self.hashes.take(level) == block)


def _slot(hashes: NDArray[np.uint64], slots: int) -> Ints:
    return (hashes & np.uint64(slots - 1)).view(np.int64)
