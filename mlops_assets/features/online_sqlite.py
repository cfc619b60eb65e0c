"""The online store in an SQLite file: read by key in microseconds by the processes of one machine."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mlops_assets.features.online_store import Row, StoreState

_BATCH = 50_000
_LOOKUP = 500  # keys in one statement, well below SQLite's limit of variables


@dataclass(frozen=True)
class SqliteStore:
    """The rows in the file at `path`, clustered by their keys."""

    path: Path

    @property
    def place(self) -> str:
        """The file."""
        return str(self.path)

    def state(self) -> StoreState | None:
        """What the file holds; None where there is no file or nothing in it."""
        if not self.path.exists():
            return None
        with closing(self._reading()) as store:
            return _read_state(store)

    def write(self, rows: pl.DataFrame, state: StoreState, *, replace_all: bool, newer_by: str | None) -> None:
        """Put rows in within one transaction."""
        with self._writing() as store:
            if replace_all:
                store.execute("DROP TABLE IF EXISTS features")
                store.execute(_create(rows.columns, state.keys))
            statement = _upsert(rows.columns, state.keys, newer_by)
            for part in rows.iter_slices(_BATCH):
                store.executemany(statement, part.rows())
            store.execute("INSERT OR REPLACE INTO state VALUES ('held', ?)", (state.text(),))

    def rows(self, wanted: Sequence[Row] | None) -> tuple[StoreState | None, dict[Row, Row]]:
        """Key to row, all as of one version."""
        if not self.path.exists():
            return None, {}
        with closing(self._reading()) as store:
            store.execute("BEGIN")
            state = _read_state(store)
            if state is None:
                return None, {}
            columns = ", ".join(map(_quoted, state.keys))
            found = (
                store.execute(f"SELECT {columns}, * FROM features ORDER BY {columns}").fetchall()
                if wanted is None
                else [row for part in _parts(wanted) for row in _lookup(store, part, columns)]
            )
            return state, {row[: len(state.keys)]: row[len(state.keys) :] for row in found}

    def _reading(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=60)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection whose one transaction is committed at the end; readers go on meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=60)) as store:
            store.execute("PRAGMA journal_mode = WAL")
            store.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value)")
            with store:
                store.execute("BEGIN IMMEDIATE")
                yield store


def _read_state(store: sqlite3.Connection) -> StoreState | None:
    if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
        return None
    found = store.execute("SELECT value FROM state WHERE name = 'held'").fetchone()
    return StoreState.of(found[0]) if found else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _create(columns: Sequence[str], keys: Sequence[str]) -> str:
    # BLOB affinity keeps each value as it was given.
    given = ", ".join(f"{_quoted(name)} BLOB" for name in columns)
    return f"CREATE TABLE features ({given}, PRIMARY KEY ({', '.join(map(_quoted, keys))})) WITHOUT ROWID"


def _upsert(columns: Sequence[str], keys: Sequence[str], newer_by: str | None) -> str:
    """Inserts or replaces a row; with a time column to be `newer_by`, never by an older one."""
    others = [_quoted(name) for name in columns if name not in keys]
    update = ", ".join(f"{name} = excluded.{name}" for name in others)
    newer = f" WHERE excluded.{_quoted(newer_by)} >= features.{_quoted(newer_by)}" if newer_by else ""
    action = f"UPDATE SET {update}{newer}" if others else "NOTHING"
    places = ", ".join("?" * len(columns))
    conflict = f"ON CONFLICT ({', '.join(map(_quoted, keys))}) DO {action}"
    return f"INSERT INTO features ({', '.join(map(_quoted, columns))}) VALUES ({places}) {conflict}"


def _parts(wanted: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (wanted[start : start + _LOOKUP] for start in range(0, len(wanted), _LOOKUP))


def _lookup(store: sqlite3.Connection, keys: Sequence[Row], columns: str) -> list[Row]:
    places = ", ".join(f"({', '.join('?' * len(key))})" for key in keys)
    values = [value for key in keys for value in key]
    return store.execute(f"SELECT {columns}, * FROM features WHERE ({columns}) IN (VALUES {places})", values).fetchall()
