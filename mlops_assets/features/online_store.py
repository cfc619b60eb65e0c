"""What an online store is: where the newest row of each key of one feature table can be read by key.

`SqliteStore` is a file on this machine, `RedisStore` a server for several machines. Rows and the version they come from
change together: a reader sees those of one version, also while they are being replaced.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import polars as pl

Row = tuple[Any, ...]


@dataclass(frozen=True)
class StoreState:
    """The state of a store: the Delta version it was written from, its columns' types by name, and its keys."""

    version: int
    types: dict[str, str]
    keys: list[str]

    def text(self) -> str:
        """The state as JSON."""
        return json.dumps({"version": self.version, "types": self.types, "keys": self.keys})

    @classmethod
    def of(cls, text: str | bytes) -> Self:
        """The state that `text` gave."""
        return cls(**json.loads(text))


class OnlineStore(Protocol):
    """The stored rows of one feature table, encoded by `online_rows.stored`."""

    @property
    def place(self) -> str:
        """Where it is, for people, without a password."""

    def state(self) -> StoreState | None:
        """What it holds; None where there is nothing yet."""

    def write(self, rows: pl.DataFrame, state: StoreState, *, replace_all: bool, newer_by: str | None) -> None:
        """Insert or update rows, or with `replace_all` replace all; `newer_by` names a time that keeps later rows."""

    def rows(self, wanted: Sequence[Row] | None) -> tuple[StoreState | None, dict[Row, Row]]:
        """State, and row by key, of the wanted keys or of all; unknown keys are left out."""


def online_store(home: Path, project: str, table: str, url: str | None = None) -> OnlineStore:
    """The store of a feature table: `<home>/online/<project>/<table>.sqlite`, or on the Redis server at `url`."""
    from mlops_assets.features.online_redis import RedisStore
    from mlops_assets.features.online_sqlite import SqliteStore

    if url is not None:
        return RedisStore(url, f"{project}/{table}")
    return SqliteStore(home / "online" / project / f"{table}.sqlite")
