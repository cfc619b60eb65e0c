"""The temporary folder (TMPDIR): copies of sources, and what a large run puts aside."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from mlops_assets.lake.errors import LakeError

FULL = ("No space left on device", "File too large", "Disk quota exceeded")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A temporary folder, removed on exit.

    Raises:
        LakeError: the disk has no room for what is written into it.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = next((known for known in FULL if known in str(error)), None)
        if reason is None:
            raise
        raise LakeError(
            f"{tempfile.gettempdir()}: the temporary folder has no room for what this run puts aside ({reason}); make "
            "room, or set TMPDIR to a folder that has it, and run again: the tables go on from where they are"
        ) from error
