"""How many requests a gateway has taken for its log, and how many of them are spooled: memory that its writer shares.

So the writer can say how many were in the memory of a gateway that is killed.
"""

import struct
from mmap import mmap
from tempfile import TemporaryFile
from typing import IO

_NUMBER = struct.Struct("=Q")
_SIZE = 2 * _NUMBER.size


class Counts:
    """The gateway's end."""

    def __init__(self) -> None:
        self.file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - open for as long as the gateway lives
        self.file.write(bytes(_SIZE))
        self.file.flush()
        self._memory = mmap(self.file.fileno(), _SIZE)
        self._taken = self._spooled = 0

    def take(self) -> None:
        """Count one accepted request; called by one thread only."""
        self._taken += 1
        _NUMBER.pack_into(self._memory, 0, self._taken)

    def spool(self, number: int) -> None:
        """Count requests that are spooled, or given up and logged as lost."""
        self._spooled += number
        _NUMBER.pack_into(self._memory, _NUMBER.size, self._spooled)


def waiting(descriptor: int) -> int:
    """How many are taken and not spooled; the writer's end."""
    with mmap(descriptor, _SIZE) as memory:
        taken, spooled = _NUMBER.iter_unpack(memory)
        return int(taken[0] - spooled[0])
