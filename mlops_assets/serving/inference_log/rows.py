"""An inference table's rows from a spool's lines.

One row per row of a request, with the columns of COLUMNS; `request_id` with `row` is unique. `prediction` is
the number predicted (a boolean is 0 or 1), null where a label is no number; `label` is a classifier's label
as text; `inputs` is the row as JSON, without an endpoint's dropped columns and with a keyed hash for its hashed
ones. A request that was refused has its status, and one row with null inputs where its body is no table.

Rows of plain values are never parsed: Polars cuts them out of the body, each as it came. Their answer was 200, so the
body is JSON, and without further braces and brackets it can be cut in one way only. Requests of one row by name are
most of them, and are cut without a list each.
"""

import json
import re
from io import BytesIO
from operator import add
from typing import TYPE_CHECKING

from mlops_assets.serving.inference_log.parsing import rows_of

if TYPE_CHECKING:
    import polars as pl

COLUMNS = {
    "request_id": "String",
    "row": "Int32",
    "client_request_id": "String",
    "time": "Datetime",
    "endpoint": "String",
    "version": "String",
    "served_model_name": "String",
    "latency_ms": "Float64",
    "status_code": "Int32",
    "inputs": "String",
    "prediction": "Float64",
    "label": "String",
    "probability": "Float64",
}
FACTS = ("request_id", "time", "endpoint", "version", "served_model_name", "latency_ms", "status_code")
LINE = (*FACTS, "columns", "masked", "body", "answer")
_OBJECT, _LIST = r"\{[^{}\[\]]*\}", r"\[[^{}\[\]]*\]"
_RECORDS = (
    rf'^\s*\{{\s*"(?:dataframe_records|instances|inputs)"\s*:\s*\[\s*{_OBJECT}(?:\s*,\s*{_OBJECT})*\s*\]\s*\}}\s*$'
)
_RECORD = rf'^\s*\{{\s*"(?:dataframe_records|instances|inputs)"\s*:\s*\[\s*({_OBJECT})\s*\]\s*\}}\s*$'
_SPLIT = (
    rf'^\s*\{{\s*"dataframe_split"\s*:\s*\{{\s*"columns"\s*:\s*{_LIST}\s*,'
    rf'\s*"data"\s*:\s*\[\s*{_LIST}(?:\s*,\s*{_LIST})*\s*\]\s*\}}\s*\}}\s*$'
)
_CELL = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,"\[\]]+')
_NUMBER, _LABEL = r"-?\d[\d.eE+-]*", r'true|false|"[^"\\]*"'
_PREDICTION = (
    rf'\{{"prediction": (?:(?P<number>{_NUMBER})|(?P<word>{_LABEL}))(?:, "probability": (?P<probability>{_NUMBER}))?\}}'
)
_UNNAMED = re.sub(r"\?P<\w+>", "?:", _PREDICTION)
_ONE_PREDICTION = rf'^\{{"predictions": \[{_PREDICTION}\]\}}$'
_PREDICTIONS = rf'^\{{"predictions": \[{_UNNAMED}(?:, {_UNNAMED})*\]\}}$'


def table_rows(lines: bytes, hash_key: bytes = b"") -> "pl.DataFrame":
    """The rows of whole lines of a spool."""
    import polars as pl

    requests = pl.read_csv(
        BytesIO(lines.decode(errors="replace").encode()),
        has_header=False,
        separator="\t",
        quote_char=None,
        schema=dict.fromkeys(LINE, pl.String),
        empty_string_is_null=False,
    )
    alone, others = _single_row_requests(requests.with_row_index("place"))
    if others.is_empty():
        return _columns(alone)
    cut = _cut_rows(others)
    plain = others["place"].is_in(cut["place"].unique().implode())
    parsed = [row for each in others.filter(~plain).iter_rows(named=True) for row in rows_of(each, hash_key)]
    return pl.concat([_columns(alone), _columns(cut), pl.DataFrame(parsed, schema=_types())])


def _single_row_requests(requests: "pl.DataFrame") -> "tuple[pl.DataFrame, pl.DataFrame]":
    """The requests of one row by name that can be cut, as `_cut` gives them, and the others as they came."""
    import polars as pl

    predicted = pl.col("answer").str.extract_groups(_ONE_PREDICTION).struct.unnest()
    candidates = requests.with_columns(predicted, inputs=pl.col("body").str.extract(_RECORD), row=0)
    answered = pl.coalesce("number", "word").is_not_null() & (pl.col("status_code") == "200")
    found = candidates.select(answered & pl.col("inputs").is_not_null() & (pl.col("masked") == "")).to_series()
    return candidates.filter(found), requests.filter(~found)


def _cut_rows(requests: "pl.DataFrame") -> "pl.DataFrame":
    """The rows of the requests that can be cut, each with `row`, its `inputs` and the parts of its prediction; rows by
    name as they came, by position with their names.
    """
    import polars as pl

    body, answer = pl.col("body").str, pl.col("answer").str
    answered = requests.filter(
        pl.col("status_code") == "200", pl.col("masked") == "", answer.contains(_PREDICTIONS)
    ).with_columns(answer.extract_all(_UNNAMED))
    records = answered.filter(body.contains(_RECORDS)).with_columns(inputs=body.extract_all(_OBJECT))
    split = answered.filter(body.contains(_SPLIT)).with_columns(inputs=body.extract_all(_LIST))
    names, cells = pl.col("inputs").list.first(), pl.col("inputs").list.slice(1)
    parts = split.with_columns(names=names, inputs=cells).partition_by("names", as_dict=True, include_key=False)
    return pl.concat(
        [_exploded(records), *(_with_column_names(_exploded(part), key) for (key,), part in parts.items())]
    )


def _exploded(requests: "pl.DataFrame") -> "pl.DataFrame":
    """A row per input and prediction, of the requests that have as many of the one as of the other."""
    import polars as pl

    count = pl.col("inputs").list.len()
    found = requests.filter(count == pl.col("answer").list.len()).with_columns(row=pl.int_ranges(count))
    rows = found.explode("inputs", "answer", "row")
    return rows.with_columns(pl.col("answer").str.extract_groups(_PREDICTION).struct.unnest())


def _with_column_names(part: "pl.DataFrame", names: str) -> "pl.DataFrame":
    """Rows by position, all with the same list of `names`, with them; without a request whose cells are not as many."""
    import polars as pl

    keys = [f"{json.dumps(name)}: " for name in json.loads(names)]
    cells = map(_CELL.findall, part["inputs"].to_list())
    rows = ["{" + ", ".join(map(add, keys, row)) + "}" if len(row) == len(keys) else None for row in cells]
    named = part.with_columns(pl.Series("inputs", rows, pl.String))
    unlike = named.filter(pl.col("inputs").is_null())["place"].implode()
    return named.filter(~pl.col("place").is_in(unlike))


def _columns(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Rows that have been cut out as the table has them."""
    import polars as pl

    word, number = pl.col("word"), pl.col("number")
    truth = pl.when(word == "true").then(1.0).when(word == "false").then(0.0)
    classified = pl.when(pl.col("probability").is_not_null()).then(number)
    named = [pl.col(name).replace("", None) for name in ("version", "served_model_name")]
    return rows.with_columns(
        *named,
        client_request_id=pl.lit(None, pl.String),
        time=pl.col("time").cast(pl.Int64),
        prediction=pl.coalesce(number.cast(pl.Float64), truth),
        label=pl.coalesce(word.str.strip_chars('"'), classified),
    ).select(pl.col(name).cast(kind) for name, kind in _types().items())


def _types() -> "dict[str, pl.DataType]":
    import polars as pl

    return {
        name: pl.Datetime("us", "UTC") if kind == "Datetime" else getattr(pl, kind)() for name, kind in COLUMNS.items()
    }
