"""Number and string literals: their text as values."""

import math
import re

from mlops_assets.rules.errors import RuleError
from mlops_assets.rules.tokens import Token

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.S)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', "0": "\0", "\n": ""}


def number(text: str, token: Token) -> int | float:
    """An int where only digits are written, else a finite float."""
    if token.text.isdigit():
        if len(token.text) > 1 and token.text[0] == "0":
            hint = f"write {int(token.text[-20:])}, or '{token.text}' for a string"
            raise RuleError("a number does not begin with 0", text, token.start, token.end, hint)
        return int(token.text)
    value = float(token.text)
    if not math.isfinite(value):
        raise RuleError(f"{token.text} is beyond what a float holds", text, token.start, token.end)
    return value


def string(text: str, token: Token) -> str:
    r"""The text between the quotes; \n \r \t \0 \\ \' \" \xhh \uhhhh \Uhhhhhhhh are escapes.

    A backslash that begins none of these stays, so that a pattern's own \d or \b needs no doubling.
    """

    def character(match: re.Match[str]) -> str:
        body = match.group(1)
        if len(body) == 1:
            return _SHORT.get(body, match.group())
        code = int(body[1:], 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise RuleError(f"{match.group()} is no character", text, token.start, token.end)
        return chr(code)

    return _ESCAPE.sub(character, token.text[1:-1])
