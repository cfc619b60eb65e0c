"""A Delta table as a source: what it gained since, and what happens where it changed or is another by now.

Bronze's log has `source`, the version that it has come to, below a count of the tables that were at the place before
this one; and `source_table`, which table that is.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.lake import delta, log
from mlops_assets.lake.errors import LakeError, SourceChanged, SourceMissing
from mlops_assets.lake.foreign import still_there
from mlops_assets.lake.identity import identity, is_another
from mlops_assets.lake.sources import formats_at
from mlops_assets.lake.target import Ingested, Target

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

SOURCE, TABLE = "source", "source_table"
VERSIONS = 40  # bits
ELSEWHERE = "another document's table is named as that document's destination_path has it, any other by its path"
# Rows of any place that the source was at; a folder may have moved, and its tables with it.
OF_A_TABLE = "_source_file LIKE '%@%'"


def ingest_delta(target: Target, location: str) -> Ingested:
    """Append what the table at `location` gained since the version that bronze has come to.

    Raises:
        SourceMissing: there is no table.
        SourceChanged: another is there by now, or rows were changed or removed, and the document says
            `on_changed_source: fail`.
        LakeError: the wanted version lies before that of the rows in bronze.
    """
    config = target.config
    newest = _source_version(config, location)
    done = _version(target.recorded)
    another = _is_another(target, location, newest)
    if done is not None and another:
        return _ingest_another(target, location, newest, done)
    if done is not None and config.source_version is not None and done > newest:
        raise LakeError(
            f"{location}: version {done} was ingested, and source_version {newest} lies before it; rows that came in "
            f"stay: say {done} or a later one, or ingest into a new destination"
        )
    if done is not None and done >= newest:
        return Ingested(target.table, delta.version(target.table), known=done + 1)
    changed = _changed_versions(location, done, newest)
    if changed and config.on_changed_source == "ignore":
        return _ingest_versions(target, location, done, newest, changed)
    if changed and config.on_changed_source == "fail":
        raise SourceChanged(
            f"{location}: rows were changed or removed between versions {done} and {newest} (in {changed[0]}); say "
            "`on_changed_source: replace` to take all its rows again, `ignore` to take only what it gains, or ingest "
            "into a new destination"
        )
    replaces = bool(changed)
    return _ingest_range(target, location, None if replaces else done, newest, replaces=replaces)


def _version(recorded: Mapping[str, int]) -> int | None:
    number = recorded.get(SOURCE)
    return None if number is None else number & (1 << VERSIONS) - 1


def _is_another(target: Target, location: str, newest: int) -> bool:
    """Whether it is not the table that was ingested from, as its own name says or, where that is not recorded, because
    it has not come as far.
    """
    if TABLE in target.recorded:
        return is_another(target.recorded[TABLE], location)
    return target.config.source_version is None and newest < (_version(target.recorded) or 0)


def _ingest_another(target: Target, location: str, newest: int, done: int) -> Ingested:
    how = target.config.on_changed_source
    if how == "fail":
        raise SourceChanged(
            f"{location}: this is another table than the one whose version {done} was ingested; say "
            "`on_changed_source: replace` to take its rows in place of those, `ignore` to keep those and take what it "
            "gains from now on, or ingest into a new destination"
        )
    after = newest if how == "ignore" else None
    brought = _ingest_range(target, location, after, newest, replaces=how == "replace", another=True)
    return replace(brought, files=(), ignored=("another table",)) if how == "ignore" else brought


def _source_version(config: "DataConfig", location: str) -> int:
    """The version of the source to come to."""
    newest = None if Path(location).is_file() else delta.version(location)
    if newest is None:
        files = formats_at(location)
        hint = f"it holds {files[0]} files: say `format: {files[0]}`" if files else ELSEWHERE
        raise SourceMissing(f"there is no Delta table at {location}; {hint}")
    wanted = config.source_version
    if wanted is not None and wanted > newest:
        raise LakeError(f"{location}: there is no version {wanted}; the newest is {newest}")
    return newest if wanted is None else wanted


def _changed_versions(location: str, done: int | None, newest: int) -> list[int]:
    """The versions that changed or removed rows since version `done`."""
    if done is None:
        return []
    return [commit.version for commit in log.commits(location, done, newest) if not commit.appends]


def _numbers(recorded: Mapping[str, int], location: str, version: int, *, another: bool) -> dict[str, int]:
    """What bronze records of a version of the source."""
    tables = (recorded.get(SOURCE, 0) >> VERSIONS) + another
    return {SOURCE: (tables << VERSIONS) + version, **identity(TABLE, recorded.get(TABLE), location)}


def _ingest_range(
    target: Target, location: str, after: int | None, until: int, *, replaces: bool = False, another: bool = False
) -> Ingested:
    """Rows that a source gained up to a version; where it `replaces`, all its rows in the place of those before."""
    table, engine = target.table, target.engine
    fresh = engine.appended(location, after, until)
    without = target.left_out(fresh, location)
    rows = target.stamped(fresh, f"{location}@{until}", without)
    commit = target.commit(_numbers(target.recorded, location, until, another=another))
    name = f"version {until}"
    with still_there(location):
        if replaces:
            written = engine.overwrite(table, rows, where=OF_A_TABLE, **commit)
        else:
            written = engine.append(table, rows, add_columns=True, **commit)
    replaced = (name,) if replaces else ()
    return Ingested(table, written.version, written.inserted, (name,), columns_ignored=without, replaced=replaced)


def _ingest_versions(target: Target, location: str, done: int | None, newest: int, changed: list[int]) -> Ingested:
    """What versions that only added rows have added; the changes of the others stay out."""
    rows = 0
    files: list[str] = []
    for version in range((done or 0) + 1, newest + 1):
        if version not in changed:
            part = _ingest_range(target, location, version - 1, version)
            rows, files = rows + part.rows, [*files, *part.files]
            numbers = _numbers(target.recorded, location, version, another=False)
            target = replace(target, recorded={**target.recorded, **numbers})
    names = tuple(f"version {version}" for version in changed)
    return Ingested(target.table, delta.version(target.table), rows, tuple(files), ignored=names)
