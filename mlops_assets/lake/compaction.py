"""Small data files put together as they come, so that a table that gains a file a run is opened as quickly as ever.

Delta's own property switches it off (`delta.autoOptimize.autoCompact: "false"`). Rows stay as they are, and so does
what a reader of changes is told.
"""

import polars as pl
from deltalake import CommitProperties
from deltalake.exceptions import CommitFailedError

from mlops_assets.lake.current import current
from mlops_assets.lake.foreign import refuse_to_write
from mlops_assets.lake.streams import as_write_error

PROPERTY, AUTO = "delta.autoOptimize.autoCompact", "auto"
# As Delta's own automatic compaction: so many files, each smaller than so many bytes.
FILES, LARGE = 50, 128 * 1024 * 1024
ALIKE = 16  # files are of one size where none is so many times another


def compact_small_files(path: str) -> int:
    """Put the small files of a table together where it has too many; how many were, 0 where another run wrote the same
    rows meanwhile.

    Raises:
        LakeError: the table cannot be written.
    """
    table = current(path)
    if table is None or table.metadata().configuration.get(PROPERTY) == "false":
        return 0
    size = target_size(pl.DataFrame(table.get_add_actions(flatten=True)))
    if size is None:
        return 0
    refuse_to_write(table, path)
    with as_write_error(path):
        try:
            properties = CommitProperties(custom_metadata={AUTO: "true"})
            done = table.optimize.compact(target_size=size, commit_properties=properties)
        except CommitFailedError:
            # Files whose rows have changed meanwhile are not the ones to put together: the next run looks again.
            return 0
    return int(done["numFilesRemoved"])


def target_size(files: pl.DataFrame) -> int | None:
    """The bytes of the files to make where a partition has too many of about one size, None where none has.

    Two files of fifty: what was put together once is too large to be so again before it, too, is one of fifty.
    """
    if files.is_empty():
        return None
    of_one_size = pl.col("size_bytes").log(ALIKE).floor().alias("of_one_size")
    crowds = (
        files.filter(pl.col("size_bytes") < LARGE)
        .group_by(pl.col("^partition\\..*$"), of_one_size)
        .agg(pl.len(), pl.sum("size_bytes"))
        .filter(pl.col("len") >= FILES)
    )
    return None if crowds.is_empty() else min(LARGE, int(crowds["size_bytes"].to_numpy().max()) // 2)
