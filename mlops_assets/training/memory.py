"""The memory that is free for a training, the machine's or what its container leaves, and what a table takes of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

# Bytes of a cell, at most, a text's as a reference and a code; and of a row's key, label, hashes and predictions.
NUMBER, TEXT = 8, 24
ROW = 60
USABLE = 0.8  # of the free memory
# By version of control groups: the file of the limit, that of what is in use, and the pages that can be given back.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory() -> int:
    """Bytes."""
    import psutil

    return min([int(psutil.virtual_memory().available), *left_in_groups(own_groups())])


def table_bytes(rows: int, types: Sequence[pl.DataType]) -> int:
    """What rows of columns of these types take, at most."""
    return rows * (ROW + sum(TEXT if isinstance(each, (pl.String, pl.Categorical)) else NUMBER for each in types))


def gigabytes(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.1f} GB"


def own_groups(membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """The folders of this process's control groups and of those around them; none where there are no such groups."""
    lines = membership.read_text().splitlines() if membership.exists() else []
    found = []
    for _, kinds, path in (line.split(":", 2) for line in lines):
        if kinds in ("", "memory"):
            folder = root / kinds / path.lstrip("/")
            found += [folder, *(each for each in folder.parents if each.is_relative_to(root))]
    return found


def left_in_groups(groups: list[Path]) -> Iterator[int]:
    """The bytes that each group with a limit still has."""
    for group in groups:
        for limit, used, inactive in _FILES:
            if (group / limit).exists() and (most := (group / limit).read_text().strip()) != "max":
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                yield max(int(most) - int((group / used).read_text()) + int(stat.get(inactive, 0)), 0)
