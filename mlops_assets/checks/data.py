"""A data document as a Pandera schema: its silver table's columns and rules, for a user's own tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from mlops_assets.config import DataConfig, Document
from mlops_assets.config.crosschecks.silver_schema import ARRIVAL
from mlops_assets.lake import delta
from mlops_assets.lake.batch import silver_rules
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.shape import ROW, shape
from mlops_assets.lake.types import COLUMN_TYPES
from mlops_assets.rules.schema import pandera_schema


def table_schema(
    document: Document[DataConfig], table: str | None = None, tables: Mapping[str, Any] | None = None
) -> Any:
    """A `pandera.polars.DataFrameSchema` of the document's silver table, with the document's rules.

    Its columns are those of the Delta table at path `table` or, without one, those that the document declares, after
    its steps. `validate` checks values on eager and lazy frames alike. `tables` maps other tables' names to frames,
    for rules that ask them. Raises LakeError where there is neither a table nor declared columns, and RuleError where
    a rule does not fit the columns.
    """
    columns = delta.schema(table) if table is not None else declared_columns(document)
    return pandera_schema(
        columns, silver_rules(document.config), name=document.name, table=document.name, tables=tables
    )


def declared_columns(document: Document[DataConfig]) -> pl.Schema:
    """The silver table's columns and Polars types: the declared ones after the document's steps, run on no rows.

    Raises LakeError where the document declares no columns.
    """
    config = document.config
    if not config.columns:
        raise LakeError(f"{document.file}: no `columns` are declared; give the path of the table")
    kinds = {**config.columns, **{name: ARRIVAL[own] for own, name in config.arrival_columns.items()}}
    nothing = pl.DataFrame(schema={name: COLUMN_TYPES[kind] for name, kind in kinds.items()})
    shaped = shape(config, nothing, datetime.now(UTC)).frame.drop(ROW)
    return delta.normalised(shaped).schema
