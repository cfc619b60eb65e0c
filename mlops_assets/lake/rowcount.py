"""The account of a run's rows: none may be dropped without a name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_assets.lake.errors import RowsLost


@dataclass(frozen=True)
class RowCount:
    """Where a run's rows went. `added` and `removed` are counted by the declared step that did it."""

    read: int = 0
    written: int = 0
    quarantined: int = 0
    added: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether rows in + rows added = rows written + quarantined + removed."""
        rows_in = self.read + sum(self.added.values())
        return rows_in == self.written + self.quarantined + sum(self.removed.values())

    def check(self) -> None:
        """Raise RowsLost unless the account is balanced."""
        if not self.balanced:
            raise RowsLost(f"rows in are not rows out: {self}")

    def __add__(self, other: "RowCount") -> "RowCount":
        return RowCount(
            self.read + other.read,
            self.written + other.written,
            self.quarantined + other.quarantined,
            _sum(self.added, other.added),
            _sum(self.removed, other.removed),
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
