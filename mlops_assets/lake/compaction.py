"""Automatic compaction of small files, so that a table that gains a file per run does not get slower to open.

Delta's own property switches it off (`delta.autoOptimize.autoCompact: "false"`). Neither the rows nor the changes that
readers of the table see are affected.
"""

import polars as pl
from deltalake import CommitProperties
from deltalake.exceptions import CommitFailedError

from mlops_assets.lake.current import current
from mlops_assets.lake.foreign import refuse_to_write
from mlops_assets.lake.streams import as_write_error

PROPERTY, AUTO = "delta.autoOptimize.autoCompact", "auto"
# The limits of Delta's own automatic compaction: number of files, and bytes below which a file counts.
FILES, LARGE = 50, 128 * 1024 * 1024
ALIKE = 16  # files between two powers of this count as of one size


def compact_small_files(path: str) -> int:
    """Compact the small files of a table if there are too many. Returns how many were replaced, 0 if another run
    changed them concurrently.

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
            metrics = table.optimize.compact(target_size=size, commit_properties=properties)
        except CommitFailedError:
            # Another run changed these files: the next run checks again.
            return 0
    return int(metrics["numFilesRemoved"])


def target_size(files: pl.DataFrame) -> int | None:
    """The target size in bytes if a partition has too many files of about one size, else None.

    It is half of their bytes: the two files that replace fifty are compacted again only with fifty of their own size.
    """
    if files.is_empty():
        return None
    size_class = pl.col("size_bytes").log(ALIKE).floor().alias("size_class")
    crowded = (
        files.filter(pl.col("size_bytes") < LARGE)
        .group_by(pl.col("^partition\\..*$"), size_class)
        .agg(pl.len(), pl.sum("size_bytes"))
        .filter(pl.col("len") >= FILES)
    )
    return None if crowded.is_empty() else min(LARGE, int(crowded["size_bytes"].to_numpy().max()) // 2)
