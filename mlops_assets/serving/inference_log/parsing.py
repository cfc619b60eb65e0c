"""A spool's line as rows of the inference table where it has to be parsed: other forms, refusals, masked columns."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from mlops_assets.serving.payload import PayloadError, parse, table


def rows_of(request: Mapping[str, str], hash_key: bytes = b"") -> Iterator[dict[str, Any]]:
    """The rows of one line of the spool, of whatever form: parsed."""
    given, inputs = _request_rows(request, hash_key)
    status = int(request["status_code"])
    predictions = json.loads(request["answer"])["predictions"] if status == 200 else [{}] * len(inputs)
    if len(inputs) != len(predictions):  # answered, and not to be read here: a key twice, lists in lists without end
        inputs = [None] * len(predictions)
    shared = {
        "request_id": request["request_id"],
        "client_request_id": given,
        "time": int(request["time"]),
        "endpoint": request["endpoint"],
        "version": request["version"] or None,
        "served_model_name": request["served_model_name"] or None,
        "latency_ms": float(request["latency_ms"]),
        "status_code": status,
    }
    for row, (cells, prediction) in enumerate(zip(inputs, predictions, strict=True)):
        value = prediction.get("prediction")
        yield {
            **shared,
            "row": row,
            "inputs": cells,
            "prediction": float(value) if isinstance(value, (int, float)) else None,
            "label": _text(value) if "probability" in prediction or isinstance(value, (str, bool)) else None,
            "probability": prediction.get("probability"),
        }


def _masked(cells: Mapping[str, Any], hashed: Sequence[str], dropped: Sequence[str], key: bytes) -> Mapping[str, Any]:
    """The row without its dropped columns; a hashed one keeps only whether two values are equal."""
    if not hashed and not dropped:
        return cells
    return {
        name: _hashed(value, key) if name in hashed and value is not None else value
        for name, value in cells.items()
        if name not in dropped
    }


def _hashed(value: Any, key: bytes) -> str:
    return blake2b(json.dumps(value).encode(), key=key, digest_size=16).hexdigest()


def _request_rows(request: Mapping[str, str], hash_key: bytes) -> tuple[str | None, list[str | None]]:
    """The id that the caller gave the request, and its rows as JSON; a single None where the body is no table."""
    hashed, dropped = json.loads(request["masked"]) if request["masked"] else ((), ())
    given = None
    try:
        payload = parse(request["body"].encode())
        given = _text(payload.get("client_request_id"))
        columns, rows = table(payload, json.loads(request["columns"]) if request["columns"] else [])
        named = (dict(zip(columns, row, strict=True)) for row in rows)
        return given, [json.dumps(_masked(row, hashed, dropped, hash_key)) for row in named]
    except (PayloadError, RecursionError):
        return given, [None]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()
