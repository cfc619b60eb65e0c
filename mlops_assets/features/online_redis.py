"""The online store on a Redis server: read by key over the network by any number of machines.

A table is one hash, key to row, both as JSON arrays, and a state beside it. The braces in their names keep the two on
one node of a cluster, so that they change in one transaction.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import polars as pl

from mlops_assets.features.errors import FeatureError, StoreUnavailableError
from mlops_assets.features.online_store import Row, StoreState

if TYPE_CHECKING:
    from redis import Redis

_BATCH = 5_000
_LOCK_SECONDS = 600.0
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class RedisStore:
    """The rows of `name` (project/table) on the server at `url`, which may hold a password."""

    url: str
    name: str

    def __repr__(self) -> str:
        return f"RedisStore({self.place})"

    @property
    def place(self) -> str:
        """Server and name."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path} {self._rows}"

    @property
    def _rows(self) -> str:
        return f"mlops_assets:online:{{{self.name}}}:rows"

    @property
    def _state(self) -> str:
        return f"mlops_assets:online:{{{self.name}}}:state"

    def state(self) -> StoreState | None:
        """What the server holds for the table."""
        with self._server() as server:
            return _parse_state(server.get(self._state))

    def write(self, rows: pl.DataFrame, state: StoreState, *, replace_all: bool, newer_by: str | None) -> None:
        """Put rows in, one writer at a time; readers see all of it or nothing."""
        places = [rows.columns.index(key) for key in state.keys]
        entries = [(_text([row[place] for place in places]), row) for row in rows.iter_rows()]
        with self._server() as server, server.lock(f"{self._rows}:lock", timeout=_LOCK_SECONDS, sleep=0.05):
            if replace_all:
                self._replace(server, entries, state)
                return
            if newer_by is not None:
                entries = _not_older(server, self._rows, entries, rows.columns.index(newer_by))
            with server.pipeline(transaction=True) as together:
                for part in _parts(entries):
                    together.hset(self._rows, mapping={key: _text(row) for key, row in part})
                together.set(self._state, state.text())
                together.execute()

    def rows(self, wanted: Sequence[Row] | None) -> tuple[StoreState | None, dict[Row, Row]]:
        """Key to row, all as of one version; in the order of the keys where all are asked for."""
        keys = None if wanted is None else [_text(key) for key in wanted]
        with self._server() as server, server.pipeline(transaction=True) as together:
            together.get(self._state)
            if keys is None:
                together.hgetall(self._rows)
            elif keys:
                together.hmget(self._rows, keys)
            state, *found = together.execute()
        state = _parse_state(state)
        if state is None:
            return None, {}
        if keys is None:
            everything = {tuple(json.loads(key)): tuple(json.loads(row)) for key, row in found[0].items()}
            return state, dict(sorted(everything.items()))
        pairs = zip(wanted or (), found[0] if found else (), strict=True)
        return state, {key: tuple(json.loads(row)) for key, row in pairs if row is not None}

    def _replace(self, server: "Redis", entries: Sequence[tuple[str, Row]], state: StoreState) -> None:
        """Fill a new hash, then rename it over the old one together with the new state."""
        fresh = f"{self._rows}:next"
        server.delete(fresh)
        for part in _parts(entries):
            server.hset(fresh, mapping={key: _text(row) for key, row in part})
        with server.pipeline(transaction=True) as together:
            together.rename(fresh, self._rows) if entries else together.delete(self._rows)
            together.set(self._state, state.text())
            together.execute()

    @contextmanager
    def _server(self) -> Iterator["Redis"]:
        """A connection. Raises FeatureError where redis is not installed, StoreUnavailableError without an answer."""
        try:
            import redis
        except ImportError as error:
            raise FeatureError("online_store: install mlops-assets[redis] for an online store on Redis") from error
        try:
            yield _client(self.url)
        except redis.RedisError as error:
            raise StoreUnavailableError(f"the online store at {self.place} gave no answer: {error}") from error


@cache
def _client(url: str) -> "Redis":
    """One connection pool per server, shared by threads and recreated after a fork."""
    import redis

    return redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_SECONDS)


def _parse_state(text: Any) -> StoreState | None:
    return StoreState.of(text) if text is not None else None


def _text(values: Sequence[Any]) -> str:
    return json.dumps(list(values), separators=(",", ":"))


def _parts(entries: Sequence[tuple[str, Row]]) -> Iterator[Sequence[tuple[str, Row]]]:
    return (entries[start : start + _BATCH] for start in range(0, len(entries), _BATCH))


def _not_older(server: "Redis", name: str, entries: list[tuple[str, Row]], time: int) -> list[tuple[str, Row]]:
    """The entries but those of which the store holds a later one."""
    kept = []
    for part in _parts(entries):
        known: Any = server.hmget(name, [key for key, _ in part])
        pairs = zip(part, known, strict=True)
        kept += [entry for entry, old in pairs if old is None or json.loads(old)[time] <= entry[1][time]]
    return kept
