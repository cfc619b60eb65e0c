"""A data document as a Pandera schema: its silver table's columns and rules, for a user's own tests."""

from collections.abc import Mapping
from typing import Any

from mlops_assets.config import DataConfig, Document
from mlops_assets.lake import delta
from mlops_assets.lake.batch import silver_rules
from mlops_assets.rules.schema import pandera_schema


def table_schema(document: Document[DataConfig], table: str, tables: Mapping[str, Any] | None = None) -> Any:
    """A `pandera.polars.DataFrameSchema` of the silver table at path `table` with the document's rules.

    `tables` maps other tables' names to frames, for rules that ask them. Raises LakeError where there is no table,
    and RuleError where a rule does not fit its columns.
    """
    return pandera_schema(
        delta.schema(table), silver_rules(document.config), name=document.name, table=document.name, tables=tables
    )
