"""Messages between the gateway and a worker over one socket: length, number, status, rows, body.

A request has status and rows 0. Many may be under way at a time: an answer carries its request's number.
"""

import struct
from typing import NamedTuple

HEADER = struct.Struct(">IIHI")


class Frame(NamedTuple):
    """One message; `rows` is how many rows an answer is for."""

    number: int
    status: int
    rows: int
    body: bytes


def packed(frame: Frame) -> bytes:
    """The message as it travels."""
    return HEADER.pack(len(frame.body), frame.number, frame.status, frame.rows) + frame.body


def take(buffer: bytearray) -> list[Frame]:
    """The whole messages at the start of `buffer`, which are taken out of it."""
    frames, start = [], 0
    while len(buffer) - start >= HEADER.size:
        length, number, status, rows = HEADER.unpack_from(buffer, start)
        end = start + HEADER.size + length
        if end > len(buffer):
            break
        frames.append(Frame(number, status, rows, bytes(buffer[start + HEADER.size : end])))
        start = end
    del buffer[:start]
    return frames
