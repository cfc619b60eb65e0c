"""The online features of a table: the newest row of each key, kept up to date and read by key.

The keys are the primary keys but the timestamp. What is read equals what the Delta table holds, to the bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from deltalake import DeltaTable

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.joins import require_columns
from mlops_assets.features.online_rows import dtype_of, stored, type_names, typed
from mlops_assets.features.online_store import OnlineStore, Row, StoreState
from mlops_assets.lake import delta


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


def online_keys(config: FeatureConfig) -> list[str]:
    """The columns a row is looked up by."""
    return [key for key in config.primary_keys if key != config.timestamp_column] or list(config.primary_keys)


def refresh_online(config: FeatureConfig, table: str, store: OnlineStore) -> int:
    """Update the store to the newest version of the Delta `table`; returns the number of rows read.

    If the table was overwritten, lost rows or changed its columns since, the whole store is rebuilt.

    Raises:
        LakeError, FeatureError: there is no table, a column's type has no place, or the store gives no answer.
    """
    newest = delta.latest(table)
    types, keys, state = type_names(delta.schema(table, newest)), online_keys(config), store.state()
    since = state.version if state is not None and (state.types, state.keys) == (types, keys) else None
    if since is not None and (
        since > newest or _overwritten(table, since) or _has_deleted_rows(config, table, since, newest)
    ):
        since = None
    if since == newest:
        return 0
    rows = delta.changes(table, since, newest, keys=config.primary_keys)
    newer_by = config.timestamp_column if config.timestamp_column in config.primary_keys else None
    newer_by = newer_by if newer_by not in keys else None
    new_rows = stored(_newest_rows(rows, config).select(list(types)))
    store.write(new_rows, StoreState(newest, types, keys), replace_all=since is None, newer_by=newer_by)
    return rows.height


def read_online(store: OnlineStore, keys: Sequence[Mapping[str, Any]] | None = None) -> pl.DataFrame:
    """The stored rows of `keys` in their order (an unknown key has none), or all rows sorted by key.

    Raises:
        FeatureError: there is no store, or a key lacks a column.
    """
    if keys is None:
        state, found = store.rows(None)
        return typed(list(found.values()), _require_state(state, store).types)
    state = _require_state(store.state(), store)
    wanted = _key_rows(keys, state)
    # Types may have changed since; they come with the rows.
    now, found = store.rows(wanted)
    return typed([found[key] for key in wanted if key in found], _require_state(now, store).types)


def features_by_key(store: OnlineStore, keys: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A row per key in their order: what the store holds, null where it does not know the key.

    Raises:
        FeatureError: there is no store, a key lacks a column, or a value is not of the key's type.
    """
    state = _require_state(store.state(), store)
    wanted = _key_rows(keys, state)
    now, found = store.rows(wanted)
    types = _require_state(now, store).types
    unknown = tuple(None for _ in types)
    return typed([found.get(key, unknown) for key in wanted], types)


def compare_online(config: FeatureConfig, table: str, store: OnlineStore) -> OnlineDifference:
    """Compare the store with the newest row of each key in the Delta table."""
    keys = online_keys(config)
    offline = _newest_rows(delta.scan(table).collect(), config)
    online = read_online(store)
    missing = offline.join(online, on=keys, how="anti", nulls_equal=True).height
    extra = online.join(offline, on=keys, how="anti", nulls_equal=True).height
    columns = online.columns
    both = offline.select(columns).join(online, on=columns, how="semi", nulls_equal=True).height
    return OnlineDifference(offline.height, missing, extra, offline.height - missing - both)


def _newest_rows(rows: pl.DataFrame, config: FeatureConfig) -> pl.DataFrame:
    ordered = rows.sort(config.timestamp_column, nulls_last=False, maintain_order=True)
    return ordered.unique(online_keys(config), keep="last", maintain_order=True)


def _overwritten(table: str, since: int) -> bool:
    newer = (entry for entry in DeltaTable(table).history() if entry.get("version", 0) > since)
    return any(entry.get("operationParameters", {}).get("mode") == "Overwrite" for entry in newer)


def _has_deleted_rows(config: FeatureConfig, table: str, since: int, newest: int) -> bool:
    """Whether rows were deleted, so that an older row of their keys may now be the newest."""
    return delta.vanished(table, since, newest, keys=config.primary_keys).height > 0


def _require_state(state: StoreState | None, store: OnlineStore) -> StoreState:
    if state is None:
        raise FeatureError(f"there is no online store at {store.place}; materialize its feature table first")
    return state


def _key_rows(keys: Sequence[Mapping[str, Any]], state: StoreState) -> list[Row]:
    for key in keys:
        require_columns(state.keys, key, "a key of the online store")
    types = {name: dtype_of(state.types[name]) for name in state.keys}
    try:
        frame = pl.DataFrame([{name: key[name] for name in state.keys} for key in keys], schema=types)
    except (TypeError, pl.exceptions.PolarsError) as error:
        key_types = ", ".join(f"{name} ({state.types[name]})" for name in state.keys)
        raise FeatureError(f"a key of the online store is not of the types of {key_types}: {error}") from error
    return stored(frame).rows()
