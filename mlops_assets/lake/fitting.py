"""Whether rows can be stored in a table's columns as they are: what a writer would cast without a word is refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import polars as pl

from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.storable import stored_type

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

UNKNOWN = (pl.Time, pl.Duration, pl.Int128, pl.UInt128, pl.Object)  # to Delta


def refuse_misfits(where: str, rows: Mapping[str, pl.DataType], known: Mapping[str, pl.DataType]) -> None:
    """Raise LakeError for the first column of `rows` whose values the table's column (`known`) would not keep."""
    for name, dtype in rows.items():
        stored = known.get(name)
        if stored is not None and not fits(dtype, stored):
            raise LakeError(
                f"{where}: column '{name}' is {dtype}, and the table has it as {stored}; "
                "declare, cast or write it as that type again, give it another name, or take a new destination"
            )


def refuse_unknown(where: str, rows: Mapping[str, pl.DataType]) -> None:
    """Raise LakeError for the first column of a type that no Delta table has."""
    for name, dtype in rows.items():
        if _unknown(dtype):
            raise LakeError(
                f"{where}: column '{name}' is {dtype}, a type that Delta tables do not have; "
                "write it as text, as an integer or as a date at its source"
            )


def fits(dtype: "PolarsDataType", stored: "PolarsDataType") -> bool:
    """Whether values of one type are stored as the other without loss of meaning."""
    own = stored_type(cast("pl.DataType", dtype))
    if isinstance(own, pl.List | pl.Array) and isinstance(stored, pl.List | pl.Array):
        return fits(own.inner, stored.inner)
    if isinstance(own, pl.Struct) and isinstance(stored, pl.Struct):
        known = stored.to_schema()
        return all(fits(part, known[name]) for name, part in own.to_schema().items() if name in known)
    if isinstance(own, pl.Decimal) and isinstance(stored, pl.Decimal):
        return own.scale <= stored.scale and own.precision - own.scale <= stored.precision - stored.scale
    alike = (own.is_integer() and stored.is_integer()) or (own.is_float() and stored.is_float())
    return own == stored or dtype == pl.Null or alike


def _unknown(dtype: "PolarsDataType") -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _unknown(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return any(map(_unknown, dtype.to_schema().values()))
    return dtype in UNKNOWN
