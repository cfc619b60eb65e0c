"""Pictures of pages, for the documentation."""

import struct
from pathlib import Path

from playwright.sync_api import Page


def photograph(page: Page, file: Path) -> None:
    """The window as it is, once nothing moves."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file, animations="disabled")


def size(file: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return width, height
