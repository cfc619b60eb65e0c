"""The online store: the newest row of each key of a feature table in an SQLite file, to be read by key in microseconds.

The keys are the primary keys but the timestamp. Numbers and texts are stored as they are, truth values as 0 and 1,
dates as days and instants as microseconds since 1970 (UTC); types are kept beside them, so that what is read equals
what the Delta table holds, to the bit. Rows and the version they come from are written in one transaction.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.joins import require_columns
from mlops_assets.features.sqlite_rows import (
    create_statement,
    dtype_of,
    quoted,
    stored,
    type_names,
    typed,
    upsert_statement,
)
from mlops_assets.lake import delta

_BATCH = 50_000
_LOOKUP = 500  # keys in one statement, well below SQLite's limit of variables


@dataclass(frozen=True)
class OnlineDifference:
    """How a store and the newest rows of its table differ: keys on one side only, and rows that are not equal."""

    keys: int
    missing: int = 0
    extra: int = 0
    unequal: int = 0

    @property
    def consistent(self) -> bool:
        """Whether they are the same."""
        return not (self.missing or self.extra or self.unequal)


def online_path(home: Path, project: str, table: str) -> Path:
    """`<home>/online/<project>/<table>.sqlite`."""
    return home / "online" / project / f"{table}.sqlite"


def online_keys(config: FeatureConfig) -> list[str]:
    """The columns a row is looked up by."""
    return [key for key in config.primary_keys if key != config.timestamp_column] or list(config.primary_keys)


def refresh_online(config: FeatureConfig, table: str, path: Path) -> int:
    """Bring the store at `path` up to the newest version of the Delta `table`; how many rows were read for it.

    Where the table was overwritten or its columns changed since, the store is built anew.

    Raises:
        LakeError, FeatureError: there is no table, or a column's type has no place in SQLite.
    """
    newest = delta.latest(table)
    schema = delta.schema(table, newest)
    types = type_names(schema)
    done, known = _state(path)
    if done is not None and (known != types or done > newest or _overwritten(table, done)):
        done = None
    if done == newest:
        return 0
    rows = delta.changes(table, done, newest, keys=config.primary_keys)
    newer_by = config.timestamp_column if config.timestamp_column in config.primary_keys else None
    with _open(path) as store:
        if done is None:
            store.execute("DROP TABLE IF EXISTS features")
            store.execute(create_statement(schema, online_keys(config)))
        statement = upsert_statement(schema, online_keys(config), newer_by)
        for part in stored(_newest(rows, config)).iter_slices(_BATCH):
            store.executemany(statement, part.rows())
        state = {"version": newest, "schema": json.dumps(types), "keys": json.dumps(online_keys(config))}
        store.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state.items())
    return rows.height


def read_online(path: Path, keys: Sequence[Mapping[str, Any]] | None = None) -> pl.DataFrame:
    """The stored rows of `keys` in their order (an unknown key has none), or all rows sorted by key.

    Raises:
        FeatureError: there is no store, or a key lacks a column.
    """
    if not path.exists():
        raise FeatureError(f"there is no online store at {path}; materialize its feature table first")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        state = dict(store.execute("SELECT name, value FROM state").fetchall())
        columns, by = json.loads(state["schema"]), json.loads(state["keys"])
        order = ", ".join(map(quoted, by))
        if keys is None:
            return typed(store.execute(f"SELECT * FROM features ORDER BY {order}").fetchall(), columns)
        wanted = _wanted(keys, by, columns)
        found = {row[: len(by)]: row[len(by) :] for part in _parts(wanted) for row in _lookup(store, part, by)}
    return typed([found[key] for key in wanted if key in found], columns)


def compare_online(config: FeatureConfig, table: str, path: Path) -> OnlineDifference:
    """The store held against the newest row of each key in the whole Delta table."""
    keys = online_keys(config)
    offline = _newest(delta.scan(table).collect(), config)
    online = read_online(path)
    missing = offline.join(online, on=keys, how="anti", nulls_equal=True).height
    extra = online.join(offline, on=keys, how="anti", nulls_equal=True).height
    columns = online.columns
    both = offline.select(columns).join(online, on=columns, how="semi", nulls_equal=True).height
    return OnlineDifference(offline.height, missing, extra, offline.height - missing - both)


def _newest(rows: pl.DataFrame, config: FeatureConfig) -> pl.DataFrame:
    ordered = rows.sort(config.timestamp_column, nulls_last=False, maintain_order=True)
    return ordered.unique(online_keys(config), keep="last", maintain_order=True)


def _overwritten(table: str, since: int) -> bool:
    newer = (entry for entry in DeltaTable(table).history() if entry.get("version", 0) > since)
    return any(entry.get("operationParameters", {}).get("mode") == "Overwrite" for entry in newer)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose one transaction is committed at the end; readers go on meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value)")
        with store:
            store.execute("BEGIN IMMEDIATE")
            yield store


def _state(path: Path) -> tuple[int | None, dict[str, str]]:
    """The Delta version that the store holds, None where there is none, and its columns' types."""
    if not path.exists():
        return None, {}
    with closing(sqlite3.connect(path, timeout=60)) as store:
        if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
            return None, {}
        state = dict(store.execute("SELECT name, value FROM state").fetchall())
    return state.get("version"), json.loads(state.get("schema", "{}"))


def _wanted(keys: Sequence[Mapping[str, Any]], by: Sequence[str], columns: Mapping[str, str]) -> list[tuple[Any, ...]]:
    for key in keys:
        require_columns(by, key, "a key of the online store")
    types = {name: dtype_of(columns[name]) for name in by}
    frame = pl.DataFrame([{name: key[name] for name in by} for key in keys], schema=types)
    return stored(frame).rows()


def _parts(wanted: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    return (wanted[start : start + _LOOKUP] for start in range(0, len(wanted), _LOOKUP))


def _lookup(store: sqlite3.Connection, keys: Sequence[tuple[Any, ...]], by: Sequence[str]) -> list[tuple[Any, ...]]:
    columns = ", ".join(map(quoted, by))
    places = ", ".join(f"({', '.join('?' * len(by))})" for _ in keys)
    values = [value for key in keys for value in key]
    return store.execute(f"SELECT {columns}, * FROM features WHERE ({columns}) IN (VALUES {places})", values).fetchall()
