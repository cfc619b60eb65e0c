"""What a table's log remembers of a source file: a hash below a count of the file's corrections.

Delta's writers go by the number under a name: Spark writes nothing under one that is not above the last. A hash alone
goes up or down; with the count above it the number of a corrected file only grows, on either engine.
"""

import hashlib

from mlops_assets.lake.errors import LakeError

HASH = 48  # bits of the 63 that a transaction identifier has
CORRECTIONS = 1 << 15


def fingerprint(data: bytes) -> int:
    """48 bits of the SHA-256 of `data`."""
    return _hash(int.from_bytes(hashlib.sha256(data).digest()[:8]) >> 1)


def says(recorded: int | None, found: int) -> bool:
    """Whether the recorded number is of this fingerprint."""
    return recorded is not None and _hash(recorded) == found


def next_number(name: str, recorded: int | None, found: int) -> int:
    """The number to record under `name` of a fingerprint after another.

    Raises:
        LakeError: the count of corrections is used up.
    """
    count = 0 if recorded is None else (recorded >> HASH) + 1
    if count == CORRECTIONS:
        raise LakeError(
            f"{name}: corrected {CORRECTIONS - 1} times, which is all that is counted; ingest into a new destination"
        )
    return (count << HASH) + found


def _hash(number: int) -> int:
    return number & (1 << HASH) - 1
