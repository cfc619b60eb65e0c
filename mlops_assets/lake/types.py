"""The documents' column types as Polars types, and the reading of text as them."""

import polars as pl

COLUMN_TYPES: dict[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "decimal": pl.Decimal(38, 9),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us", "UTC"),
}
_DAYS = (-719_162, 2_932_896)  # of the years 1 to 9999, from 1970: 20240101 is none of them
_A_DAY = 86_400_000_000  # microseconds
_YEARS = {"date": _DAYS, "datetime": (_DAYS[0] * _A_DAY, (_DAYS[1] + 1) * _A_DAY - 1)}
_DECIMALS = 1e29  # what a decimal of 38 digits, nine of them places, stays below
_FINER = r"\.\d{9}\d*[1-9]"  # more places than a decimal has
TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


def cast(column: str, dtype: pl.DataType, wanted: str, *, format: str | None = None) -> pl.Expr:  # noqa: A002
    """`column` as the documents' type `wanted`; a value that cannot be read as it becomes null.

    Spaces around a text that is to be of another type do not count. Dates and times are ISO 8601 or of the given
    strptime `format`; an instant without a zone is UTC. A number is a date by its whole days from 1970, an instant by
    its microseconds. A decimal has nine places, to which a float is rounded; a text or decimal with more is none.
    """
    spaced = dtype == pl.String and wanted != "string"
    value = pl.col(column).str.strip_chars() if spaced else pl.col(column)
    target = COLUMN_TYPES[wanted]
    if wanted == "decimal":
        return _decimal(value, dtype)
    if dtype == pl.String and wanted in _FROM_TEXT:
        return _FROM_TEXT[wanted](value, format)
    if isinstance(dtype, pl.Datetime) and wanted == "datetime":
        return (value if dtype.time_zone else value.dt.replace_time_zone("UTC")).cast(target)
    if dtype.is_float() and wanted == "int":
        return pl.when(value == value.round(0)).then(value).cast(target, strict=False)
    if isinstance(dtype, pl.Decimal) and wanted == "int":
        whole = value.cast(target, strict=False)
        return pl.when(whole.cast(dtype, strict=False) == value).then(whole)
    if (dtype.is_integer() or dtype.is_float()) and wanted in _YEARS:
        fits = value.is_between(*_YEARS[wanted])
        whole = fits & (value == value.floor()) if wanted == "date" else fits
        return pl.when(whole).then(value).cast(target, strict=False)
    return value.cast(target, strict=False)


def _decimal(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    target = COLUMN_TYPES["decimal"]
    if dtype.is_float():
        # Beyond its digits Polars raises, also where it is not strict.
        return pl.when(value.abs() < _DECIMALS).then(value).cast(target, strict=False)
    found = value.cast(target, strict=False)
    if dtype == pl.String:
        power = value.str.contains("[eE]")
        exact = pl.when(power).then(value.cast(pl.Float64, strict=False) == found.cast(pl.Float64))
        return pl.when(exact.otherwise(~value.str.contains(_FINER))).then(found)
    return pl.when(found.cast(dtype, strict=False) == value).then(found) if isinstance(dtype, pl.Decimal) else found


def _bool(text: pl.Expr, format: str | None) -> pl.Expr:  # noqa: A002
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(TRUE)).then(pl.lit(True)).when(lower.is_in(FALSE)).then(pl.lit(False)).name.keep()


def _date(text: pl.Expr, format: str | None) -> pl.Expr:  # noqa: A002
    return text.str.to_date(format or "%Y-%m-%d", strict=False)


def _datetime(text: pl.Expr, format: str | None) -> pl.Expr:  # noqa: A002
    if format:
        return _utc(text.str.to_datetime(format, strict=False, time_unit="us"))
    zoned = text.str.replace(r"[zZ]$", "+00:00").str.replace(" ", "T", literal=True)
    written = (
        pl.when(zoned.str.contains(r"[+-]\d{2}:?\d{2}$")).then(zoned).otherwise(pl.concat_str(zoned, pl.lit("+00:00")))
    )
    full = written.str.replace(r"^(\d{4}-\d{2}-\d{2})([+-])", "${1}T00:00:00${2}")
    seconds = full.str.replace(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})([+-])", "${1}:00${2}")
    return seconds.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us").cast(
        COLUMN_TYPES["datetime"]
    )


def _utc(naive: pl.Expr) -> pl.Expr:
    return naive.cast(COLUMN_TYPES["datetime"], strict=False)


_FROM_TEXT = {"bool": _bool, "date": _date, "datetime": _datetime}
