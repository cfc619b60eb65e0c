"""The code blocks of the documentation's pages."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
_FENCE = re.compile(r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, its language, its title and its text."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The blocks of a page, all or of one language, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, each.start()) + 1, each["language"], each["title"] or "", each["text"])
        for each in _FENCE.finditer(text)
    ]
    return [block for block in found if language in (None, block.language)]


def every(language: str) -> list[Block]:
    """The blocks of one language on all pages."""
    return [block for page in PAGES if page.exists() for block in blocks(page, language)]
