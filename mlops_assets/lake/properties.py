"""What a table says of itself: its description, its columns' comments, its properties; brought to what the document
says, by a commit for each that differs and none where all is as it should be.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from deltalake import DeltaTable

from mlops_assets.lake.current import current
from mlops_assets.lake.silver import keeps_a_feed
from mlops_assets.lake.streams import as_write_error
from mlops_assets.lake.writing import FEED, on_conflict

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

FILES, LOG = "delta.deletedFileRetentionDuration", "delta.logRetentionDuration"


def describe_bronze(config: "DataConfig", path: str) -> None:
    """A bronze table keeps a feed where corrected files take rows out of it."""
    feed = config.on_changed_source == "replace"
    _described(path, {FEED: str(feed).lower(), **_kept(config)}, f"{config.source_path} as it arrived", {})


def describe_silver(config: "DataConfig", path: str) -> None:
    """A silver table's own description, comments and properties."""
    feed = {FEED: str(keeps_a_feed(config)).lower()}
    _described(
        path, {**feed, **_kept(config), **config.table_properties}, config.description, config.column_descriptions
    )


def describe_quarantine(config: "DataConfig", path: str) -> None:
    """Describe a quarantine, with the retention of its silver table."""
    _described(path, _kept(config), "Rows that broke error rules, as they arrived", {})


def _kept(config: "DataConfig") -> Mapping[str, str]:
    if config.retention is None:
        return {}
    # The next table finds what it has not read yet in the log, so it is kept for Delta's default of 30 days at least.
    return {FILES: interval(config.retention), LOG: interval(max(config.retention, timedelta(days=30)))}


def interval(duration: timedelta) -> str:
    """A duration as Delta's properties have it: `interval 30 days`."""
    seconds = int(duration.total_seconds())
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds % size == 0:
            return f"interval {seconds // size} {unit}"
    return f"interval {seconds} seconds"


@on_conflict
def _described(path: str, properties: Mapping[str, str], description: str, comments: Mapping[str, str]) -> None:
    table = current(path)
    if table is None:
        return
    metadata = table.metadata()
    different = {name: value for name, value in properties.items() if _says(metadata.configuration, name) != value}
    with as_write_error(path):
        if different:
            table.alter.set_table_properties(different, raise_if_not_exists=False)
        if description and metadata.description != description:
            table.alter.set_table_description(description)
        for column, comment in _new_comments(table, comments).items():
            table.alter.set_column_metadata(column, {"comment": comment})


def _says(configuration: Mapping[str, str], name: str) -> str | None:
    """A property's value; a change data feed that is not set is off."""
    return configuration.get(name, "false" if name == FEED else None)


def _new_comments(table: DeltaTable, comments: Mapping[str, str]) -> dict[str, str]:
    """The comments of the table's columns that differ from its own."""
    existing = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    return {name: text for name, text in comments.items() if name in existing and existing[name] != text}
