"""Contradictions between fields of a data document."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.config.data import DataConfig

CSV_ONLY = ("header", "delimiter", "null_values", "quote_char")
KEEP_FILE = "say `arrival_columns: {_source_file: source_file}`"
APPEND_OR_MERGE = "say append, with `arrival_columns: {_source_file: source_file}`, or merge"
Misfit = tuple[str, str, str]


def misfits(config: "DataConfig") -> Iterator[Misfit]:
    """The message, hint and field of every contradiction."""
    yield from _write_mode_misfits(config)
    if config.on_changed_source == "replace":
        yield from _correction_misfits(config)
    yield from _source_misfits(config)
    yield from _layout_misfits(config)


def _layout_misfits(config: "DataConfig") -> Iterator[Misfit]:
    """Layout and table properties that would make a run or maintenance fail."""
    for name in config.z_order_by:
        if name in config.partitioning_columns:
            hint = "leave it out of z_order_by or of partitioning_columns"
            yield f"column '{name}' is one value in every file that it parts", hint, "z_order_by"
    changes = config.mode != "append" or config.on_changed_source == "replace"
    if changes and config.table_properties.get("delta.appendOnly") == "true":
        yield "delta.appendOnly lets no row be changed or replaced", "leave it out, or append", "table_properties"


def _write_mode_misfits(config: "DataConfig") -> Iterator[Misfit]:
    mode = config.mode
    for field, names in (("primary_keys", config.primary_keys), ("sequence_by", [config.sequence_by or ""])):
        if any("`" in name for name in names):
            yield (
                "a rule asks whether the column has a value, and no rule can name a back-tick",
                "rename it by a step (rename_columns)",
                field,
            )
    if mode in ("merge", "scd2") and not config.primary_keys:
        yield f"'{mode}' needs primary_keys", "", "write_mode"
    if mode == "overwrite_partitions" and not config.partitioning_columns:
        yield "'overwrite_partitions' needs partitioning_columns", "", "write_mode"
    if config.sequence_by is not None and mode not in ("merge", "scd2"):
        yield f"'{mode}' keeps every row; sequence_by is for merge and scd2", "", "sequence_by"
    if config.partitions is not None and mode.startswith("overwrite"):
        yield f"partitions of runs and '{mode}' exclude each other", "say append or merge", "write_mode"


def _correction_misfits(config: "DataConfig") -> Iterator[Misfit]:
    """Settings with which `on_changed_source: replace` cannot replace the rows of a corrected file."""
    mode = config.mode
    if mode == "append" and config.file_column is None:
        yield "'replace' must find a file's rows in a table without keys", KEEP_FILE, "on_changed_source"
    if mode == "scd2":
        yield "a history keeps what was known: a correction is a new file", "", "write_mode"
    if mode == "overwrite_partitions":
        message = "'replace' would put a correction in place of all rows of its partitions"
        yield message, APPEND_OR_MERGE, "write_mode"
    if mode == "overwrite" and config.format != "delta":
        message = "'replace' would put a corrected file in place of the whole table"
        yield message, APPEND_OR_MERGE, "write_mode"
    if config.partitions is not None:
        message = "a corrected file has rows of many partitions; give it another name"
        yield message, "say `on_changed_source: fail`", "on_changed_source"


def _source_misfits(config: "DataConfig") -> Iterator[Misfit]:
    if config.source_version is not None and config.format != "delta":
        yield f"a {config.format} source has no versions", "leave source_version out", "source_version"
    for option in _unread_options(config):
        message = f"`{option}` is for text, and a {config.format} source is none"
        yield f"JSON lines have no `{option}`" if config.format == "json" else message, "leave it out", "reader"


def _unread_options(config: "DataConfig") -> list[str]:
    """The reader options that are set but are not used for the format."""
    unread = {"csv": (), "json": CSV_ONLY}.get(config.format, (*CSV_ONLY, "encoding"))
    default = type(config.reader)()
    return [name for name in unread if getattr(config.reader, name) != getattr(default, name)]
