"""What is wrong between two fields of a data document."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.config.data import DataConfig

CSV_ONLY = ("header", "delimiter", "null_values", "quote_char")


def unread_options(config: "DataConfig") -> list[str]:
    """The options of the reader that differ from their defaults and that nothing of the format is read by."""
    unread = {"csv": (), "json": CSV_ONLY}.get(config.format, (*CSV_ONLY, "encoding"))
    default = type(config.reader)()
    return [name for name in unread if getattr(config.reader, name) != getattr(default, name)]


def misfits(config: "DataConfig") -> list[tuple[bool, str, str, str]]:
    """What is wrong between two fields: whether, the message, the hint, the field."""
    mode, replace = config.mode, config.on_changed_source == "replace"
    keyless = mode in ("merge", "scd2") and not config.primary_keys
    no_file = replace and mode == "append" and config.file_column is None
    unread = unread_options(config)
    keep_file = "say `arrival_columns: {_source_file: source_file}`"
    return [
        (keyless, f"'{mode}' needs primary_keys", "", "write_mode"),
        (
            mode == "overwrite_partitions" and not config.partitioning_columns,
            "'overwrite_partitions' needs partitioning_columns",
            "",
            "write_mode",
        ),
        (no_file, "'replace' must find a file's rows in a table without keys", keep_file, "on_changed_source"),
        (
            replace and mode == "scd2",
            "a history keeps what was known: a correction is a new file",
            "",
            "write_mode",
        ),
        (
            replace and mode == "overwrite_partitions",
            "'replace' would put a correction in place of all rows of its partitions",
            "say append, with `arrival_columns: {_source_file: source_file}`, or merge",
            "write_mode",
        ),
        (
            replace and mode == "overwrite" and config.format != "delta",
            "'replace' would put a corrected file in place of the whole table",
            "say append, with `arrival_columns: {_source_file: source_file}`, or merge",
            "write_mode",
        ),
        (
            config.sequence_by is not None and mode not in ("merge", "scd2"),
            f"'{mode}' keeps every row; sequence_by is for merge and scd2",
            "",
            "sequence_by",
        ),
        (
            config.partitions is not None and mode.startswith("overwrite"),
            f"partitions of runs and '{mode}' exclude each other",
            "say append or merge",
            "write_mode",
        ),
        (
            config.partitions is not None and replace,
            "a corrected file has rows of many partitions; give it another name",
            "say `on_changed_source: fail`",
            "on_changed_source",
        ),
        (
            config.source_version is not None and config.format != "delta",
            f"a {config.format} source has no versions",
            "leave source_version out",
            "source_version",
        ),
        (
            bool(unread),
            f"`{unread and unread[0]}` is for text, and a {config.format} source is none"
            if config.format != "json"
            else f"JSON lines have no `{unread and unread[0]}`",
            "leave it out",
            "reader",
        ),
    ]
