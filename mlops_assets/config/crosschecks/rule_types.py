"""Type-checks rules and column names of data documents that declare their columns, before any row is read."""

from collections.abc import Iterator

from mlops_assets.config.crosschecks.conditions import foreign_tables
from mlops_assets.config.crosschecks.rule_problems import rule_problem
from mlops_assets.config.crosschecks.silver_schema import ARRIVAL, SilverSchema, silver_schema
from mlops_assets.config.data import HISTORY, DataConfig
from mlops_assets.config.document import Document
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.tables import TableRef, resolve_table
from mlops_assets.config.transform_steps import Deduplicate, DropColumns
from mlops_assets.rules import RuleError, Schema, check, columns, foreign_columns, parse

OF_THE_TABLE = ("partitioning_columns", "z_order_by")  # name columns as they are written


def type_problems(project: Project) -> Iterator[Problem]:
    """What does not fit the declared columns: steps, rules, keys and other fields that name columns."""
    schemas = {document.name: silver_schema(document) for document in project.data}
    for document in project.data:
        schema = schemas[document.name]
        if schema is not None:
            yield from schema.problems
            yield from _unknown_columns(schema)
            if not schema.problems:
                yield from _rule_problems(project, schema, schemas)


def rule_tables(project: Project, document: Document[DataConfig]) -> dict[str, TableRef]:
    """The project's other tables that a document's conditions name, by the name they use."""
    named = {table for _, table in foreign_tables(document)}
    found = {table: resolve_table(project, table, document) for table in sorted(named)}
    return {table: ref for table, ref in found.items() if ref is not None}


def _rule_problems(
    project: Project, schema: SilverSchema, schemas: dict[str, SilverSchema | None]
) -> Iterator[Problem]:
    document = schema.document
    tables = _other_columns(project, document, schemas)
    for index, rule in enumerate(document.config.validation_rules):
        if not _is_known(rule.condition, schema, tables):
            continue
        try:
            check(rule.condition, schema.columns, table=document.name, tables=_known_schemas(tables))
        except RuleError as error:
            yield rule_problem(document, ("validation_rules", index, "condition"), f"rule '{rule.name}'", error)


def _other_columns(
    project: Project, document: Document[DataConfig], schemas: dict[str, SilverSchema | None]
) -> dict[str, SilverSchema | None]:
    refs = rule_tables(project, document)
    return {name: schemas.get(ref.table) if ref.layer == "silver" else None for name, ref in refs.items()}


def _known_schemas(tables: dict[str, SilverSchema | None]) -> dict[str, Schema]:
    return {name: schema.columns for name, schema in tables.items() if schema}


def _is_known(text: str, schema: SilverSchema, tables: dict[str, SilverSchema | None]) -> bool:
    """Whether the documents say enough to check a rule: every column it may read is declared."""
    tree = parse(text)
    if schema.open and not columns(tree) <= set(schema.columns):
        return False
    for written in foreign_columns(tree):
        table, _, column = written.rpartition(".")
        other = tables.get(table)
        if table != schema.document.name and (other is None or (other.open and column not in other.columns)):
            return False
    return True


def _unknown_columns(schema: SilverSchema) -> Iterator[Problem]:
    """Fields that name columns the silver table will not have."""
    config = schema.document.config
    if schema.open:
        return
    dropped = {name for step in config.transformation_steps if isinstance(step, DropColumns) for name in step.columns}
    history = HISTORY if config.mode == "scd2" else ()
    also = {"sensitive_columns": dropped, **dict.fromkeys(OF_THE_TABLE, history)}
    for path, name in _named_columns(config):
        if name not in schema.columns and name not in also.get(str(path[0]), ()):
            hint = did_you_mean(name, schema.columns)
            yield schema.document.problem(path, f"the table has no column '{name}'", hint)
    yield from _partition_problem(schema)
    for name in history:
        if name in schema.columns:
            message = f"column '{name}' is one that a history (scd2) has for itself"
            yield schema.document.problem("write_mode", message, "rename or drop yours")


def _partition_problem(schema: SilverSchema) -> Iterator[Problem]:
    """Partitions are of the source's columns, or of bronze's own."""
    parts, known = schema.document.config.partitions, {**schema.document.config.columns, **ARRIVAL}
    if parts and parts.column not in known:
        hint = did_you_mean(parts.column, known)
        yield schema.document.problem("partitions.column", f"the source has no column '{parts.column}'", hint)
    elif parts and parts.timed and known[parts.column] not in ("date", "datetime", "string"):
        message = f"column '{parts.column}' is {known[parts.column]}, which says no {parts.type} partition"
        yield schema.document.problem("partitions.column", message, "take a date or datetime")


def _named_columns(config: DataConfig) -> Iterator[tuple[Path, str]]:
    for field in ("primary_keys", "sensitive_columns", *OF_THE_TABLE):
        yield from (((field, index), name) for index, name in enumerate(getattr(config, field)))
    if config.sequence:
        yield ("sequence_by",) if config.sequence_by else ("partitions", "column"), config.sequence
    for number, step in enumerate(config.transformation_steps):
        if isinstance(step, Deduplicate):
            at: Path = ("transformation_steps", number)
            yield from (((*at, "keys", index), name) for index, name in enumerate(step.keys))
            yield from (((*at, "order_by", index), name) for index, name in enumerate(step.order_by))
