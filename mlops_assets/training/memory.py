"""The memory that is free for a training: the machine's, or what its container leaves."""

from collections.abc import Iterator
from pathlib import Path

# By version of control groups: the file of the limit, that of what is in use, and the pages that can be given back.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory() -> int:
    """Bytes."""
    import psutil

    return min([int(psutil.virtual_memory().available), *left_in_groups(own_groups())])


def own_groups(told: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """The folders of this process's control groups and of those around them; none where there are no such groups."""
    lines = told.read_text().splitlines() if told.exists() else []
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
