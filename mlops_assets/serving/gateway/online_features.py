"""Features by key: a request that brings keys instead of features gets them from the online store.

What the request brings itself wins over what is stored. The completed rows are what the model answers and what the
inference log keeps.
"""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.gateway.http import Refusal
from mlops_assets.serving.payload import PayloadError, Table, parse, table

if TYPE_CHECKING:
    import polars as pl

    from mlops_assets.features.online_store import OnlineStore


async def completed(home: Path, name: str, body: bytes, columns: list[str]) -> bytes:
    """The body with the features of its rows' keys, from the store of the feature table `name` (project/table); itself
    where its rows have all of the model's `columns` or none of the keys.

    Raises:
        Refusal: a key is not known or not of its type, or the store gives no answer.
    """
    return await asyncio.to_thread(_completed, _store(home, name), body, columns)


def _completed(store: "OnlineStore", body: bytes, columns: list[str]) -> bytes:
    from mlops_assets.features.errors import FeatureError, StoreUnavailableError
    from mlops_assets.features.online import features_by_key

    try:
        given = table(parse(body), columns)
    except PayloadError:
        # The worker says what is wrong with it.
        return body
    try:
        state = store.state()
        keys = state.keys if state else []
        complete = bool(columns) and set(columns) <= set(given.columns)
        if complete or not keys or not set(keys) <= set(given.columns):
            return body
        rows = [dict(zip(given.columns, row, strict=True)) for row in given.rows]
        stored = features_by_key(store, [{key: row[key] for key in keys} for row in rows])
    except StoreUnavailableError as error:
        raise Refusal(503, str(error)) from error
    except FeatureError as error:
        raise Refusal(400, str(error)) from error
    _require_known(stored, keys)
    return _body(given, _json_values(stored), set(columns or stored.columns) - set(given.columns))


def _require_known(stored: "pl.DataFrame", keys: list[str]) -> None:
    for place, key in enumerate(stored.select(keys).rows()):
        if None in key:
            message = f"Row {place}: the online store knows no features of this {', '.join(keys)}."
            raise Refusal(400, message, field="keys")


def _json_values(stored: "pl.DataFrame") -> dict[str, list[Any]]:
    """The columns as a request would bring them: instants and dates as ISO 8601, decimals as numbers, NaN
    as null.
    """
    import polars as pl
    import polars.selectors as kinds

    plain = stored.with_columns(kinds.decimal().cast(pl.Float64)).with_columns(kinds.float().fill_nan(None))
    return {
        column.name: [each.isoformat() if hasattr(each, "isoformat") else each for each in column.to_list()]
        for column in plain.iter_columns()
    }


def _body(given: Table, stored: dict[str, list[Any]], wanted: set[str]) -> bytes:
    taken = [name for name in stored if name in wanted]
    rows = [[*row, *(stored[name][place] for name in taken)] for place, row in enumerate(given.rows)]
    return json.dumps({"dataframe_split": {"columns": [*given.columns, *taken], "data": rows}}).encode()


@cache
def _store(home: Path, name: str) -> "OnlineStore":
    from mlops_assets.config.platforms import load_platform
    from mlops_assets.features.online_store import online_store

    project, _, table_name = name.partition("/")
    return online_store(home, project, table_name, load_platform().online_store.server)
