import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from mlops_assets.config.transform_steps import TransformStep
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.transforms import transform
from mlops_assets.lake.types import cast

AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
STEP: TypeAdapter[Any] = TypeAdapter(TransformStep)
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 2],
        "name": [" Ann ", "Bob", None],
        "price": [1.5, None, 3.0],
        "tags": [["a"], ["b", "c"], []],
    }
)


def after(**step: Any) -> pl.DataFrame:
    return transform(FRAME.lazy(), STEP.validate_python(step), AS_OF).collect()


def test_each_step_does_what_its_name_says() -> None:
    assert after(type="drop_columns", columns=["tags"]).columns == ["id", "name", "price"]
    assert after(type="rename_columns", mapping={"id": "key"}).columns[0] == "key"
    assert after(type="cast", columns={"id": "string"})["id"].to_list() == ["1", "2", "2"]
    assert after(type="fill_null", values={"price": 0})["price"].to_list() == [1.5, 0.0, 3.0]
    assert after(type="filter", condition="price > 2")["id"].to_list() == [2]
    assert after(type="trim", columns=["name"])["name"].to_list() == ["Ann", "Bob", None]
    assert after(type="lower", columns=["name"])["name"][1] == "bob"
    assert after(type="upper", columns=["name"])["name"][1] == "BOB"
    assert after(type="explode", columns=["tags"])["tags"].to_list() == ["a", "b", "c", None]


def test_a_derived_column_sees_those_before_it() -> None:
    derived = after(type="derive", columns={"double": "price * 2", "more": "double + 1"})
    assert derived["more"].to_list() == [4.0, None, 7.0]


def test_deduplicate_keeps_the_last_of_the_order_asked_for() -> None:
    assert after(type="deduplicate", keys=["id"], order_by=["price"])["price"].to_list() == [1.5, 3.0]
    assert after(type="deduplicate", keys=["id"], keep="first")["price"].to_list() == [1.5, None]


def test_split_gives_the_rest_to_the_last_part_and_null_where_there_is_none() -> None:
    frame = pl.DataFrame({"path": ["a-b-c", "d", None]})
    step = STEP.validate_python({"type": "split", "column": "path", "separator": "-", "into": ["head", "tail"]})
    parts = transform(frame.lazy(), step, AS_OF).collect()
    assert parts["head"].to_list() == ["a", "d", None]
    assert parts["tail"].to_list() == ["b-c", None, None]


def test_hash_is_the_salted_sha256_and_null_stays_null() -> None:
    hashed = after(type="hash", columns=["name"], salt="s")["name"].to_list()
    assert hashed[1] == hashlib.sha256(b"sBob").hexdigest()
    assert hashed[2] is None


@pytest.mark.parametrize(
    "step", [{"type": "lower", "columns": ["price"]}, {"type": "drop_columns", "columns": ["nmae"]}]
)
def test_a_step_that_does_not_fit_is_refused_by_name(step: dict[str, Any]) -> None:
    with pytest.raises(LakeError, match=r"price|did you mean 'name'\?"):
        after(**step)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2013-01-01T10:00:00Z", datetime(2013, 1, 1, 10, tzinfo=UTC)),
        ("2013-01-01 10:00", datetime(2013, 1, 1, 10, tzinfo=UTC)),
        ("2013-01-01T10:00:00.25+02:00", datetime(2013, 1, 1, 8, 0, 0, 250_000, tzinfo=UTC)),
        ("2013-01-01", datetime(2013, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_an_instant_is_iso_8601_and_without_a_zone_utc(text: str, instant: datetime | None) -> None:
    assert pl.select(pl.lit(text).alias("x")).select(cast("x", pl.String(), "datetime")).item() == instant


def test_a_decimal_is_exact_or_null() -> None:
    texts = ["1.123456789", "1.1234567890", "1.1234567891", "-0.0000000001", "1e-3", "2.5e-10", ".5", "x"]
    read = pl.DataFrame({"x": texts}).select(cast("x", pl.String(), "decimal"))["x"]
    nine, half = Decimal("1.123456789"), Decimal("0.5")
    assert read.to_list() == [nine, nine, None, None, Decimal("0.001"), None, half, None]
    floats = pl.DataFrame({"x": [0.1, 1e30, None]}).select(cast("x", pl.Float64(), "decimal"))["x"]
    assert floats.to_list() == [Decimal("0.1"), None, None]
    finer = pl.DataFrame({"x": [Decimal("0.5000000000"), Decimal("0.0000000001")]})
    assert finer.select(cast("x", finer.schema["x"], "decimal"))["x"].to_list() == [half, None]


@pytest.mark.parametrize("dtype", [pl.Int64(), pl.Float64()], ids=str)
def test_a_number_is_a_day_or_an_instant_of_the_years_1_to_9999_or_null(dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"x": [19_723, 20_240_101, 10**18]}, schema={"x": dtype})
    days = frame.select(cast("x", dtype, "date"))["x"].to_list()
    instants = frame.select(cast("x", dtype, "datetime"))["x"].to_list()
    assert days == [date(2024, 1, 1), None, None]
    assert instants == [datetime(1970, 1, 1, 0, 0, 0, 19_723, UTC), datetime(1970, 1, 1, 0, 0, 20, 240_101, UTC), None]


def test_text_is_read_as_declared_or_is_null() -> None:
    frame = pl.DataFrame({"x": ["1", "1.0", "yes", "2024-02-30", "2024-02-29"]})
    assert frame.select(cast("x", pl.String(), "int"))["x"].to_list() == [1, None, None, None, None]
    assert frame.select(cast("x", pl.String(), "bool")).to_series().to_list() == [
        True,
        None,
        True,
        None,
        None,
    ]
    assert frame.select(cast("x", pl.String(), "date"))["x"].to_list()[3:] == [None, date(2024, 2, 29)]


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [("int", " 12 ", 12), ("float", "\t1.5", 1.5), ("decimal", "0.5 ", Decimal("0.5")), ("string", " a ", " a ")],
)
def test_spaces_around_a_text_are_none_of_the_number_that_it_is(wanted: str, text: str, value: object) -> None:
    frame = pl.DataFrame({"x": [text]})
    assert frame.select(cast("x", pl.String(), wanted)).item() == value
