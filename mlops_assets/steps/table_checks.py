"""Checks of a silver table as a whole, read from the table: its declared columns, and that its key is unique."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from mlops_assets.config import DataConfig, Document
from mlops_assets.config.crosschecks.silver_schema import silver_schema
from mlops_assets.lake import delta
from mlops_assets.rules import Schema, schema_of
from mlops_assets.steps.metadata import markdown_table
from mlops_assets.steps.result import Check

COLUMNS, UNIQUE = "columns", "primary_keys_are_unique"
SHOWN = 3


def table_checks(document: Document[DataConfig], path: str) -> Iterator[Check]:
    """The results for the table at `path`: `columns` where they are declared, the key's where nothing else holds it."""
    if document.config.columns:
        yield _columns_check(document, path)
    if key_may_repeat(document.config):
        yield _unique_check(document.config, path)


def key_may_repeat(config: DataConfig) -> bool:
    """Whether the write mode allows several rows per key; a merge does not."""
    return bool(config.primary_keys) and config.mode not in ("merge", "scd2")


def _columns_check(document: Document[DataConfig], path: str) -> Check:
    declared = silver_schema(document)
    assert declared is not None
    actual = schema_of(delta.schema(path))
    differences = list(_column_differences(declared.columns, actual, closed=not declared.open))
    shown = markdown_table(differences, ["column", "declared", "table"])
    return Check(
        passed=not differences,
        name=COLUMNS,
        description=f"{len(differences)} of {len(declared.columns)} declared columns differ"
        if differences
        else f"{len(declared.columns)} declared columns, {len(actual)} in the table",
        metadata={
            "columns": len(actual),
            "differences": len(differences),
            **({"examples": shown} if differences else {}),
        },
    )


def _column_differences(declared: Schema, actual: Schema, *, closed: bool) -> Iterator[dict[str, str]]:
    for name, type_ in declared.items():
        if name not in actual or actual[name].kind != type_.kind:
            yield {"column": name, "declared": str(type_), "table": str(actual.get(name, "is not there"))}
    for name, type_ in actual.items():
        if closed and name not in declared:
            yield {"column": name, "declared": "is not", "table": str(type_)}


def _unique_check(config: DataConfig, path: str) -> Check:
    keys = config.primary_keys
    repeated = delta.scan(path).group_by(keys).agg(pl.len().alias("rows")).filter(pl.col("rows") > 1)
    figures = repeated.select(pl.len().alias("keys"), pl.col("rows").sum()).collect().row(0, named=True)
    metadata: dict[str, Any] = {"repeated_keys": figures["keys"], "rows": figures["rows"]}
    if figures["keys"]:
        masked = [
            pl.lit("***").alias(key) if key in config.sensitive_columns else pl.col(key).cast(pl.String) for key in keys
        ]
        examples = repeated.sort(keys).head(SHOWN).select(*masked, "rows").collect()
        metadata["examples"] = markdown_table(examples.to_dicts(), examples.columns)
    return Check(
        passed=not figures["keys"],
        name=UNIQUE,
        description=f"{figures['keys']} keys are on {figures['rows']} rows"
        if figures["keys"]
        else "every key is on one row",
        metadata=metadata,
    )
