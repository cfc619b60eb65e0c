"""From a rule's text to tokens, and from tokens to a line that Python's own parser can read.

Names and literals become placeholders, so Python sees only the structure: no keyword, escape, digit or
encoding of its own can leak into the language.
"""

import re
from dataclasses import dataclass

from mlops_assets.rules.errors import RuleError

MAX_BYTES = 4096
MAX_DEPTH = 64
KEYWORDS = frozenset({"and", "or", "not", "in", "is"})

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<quoted>`[^`]+`)
    |(?P<name>[^\W0-9]\w*)
    |(?P<operator><=|>=|==|!=|=<|=>|<>|:=|&&|\|\||\*\*|//|[-+*/%<>()\[\],.=!&|~^:;])""",
    re.X | re.S,
)
_OTHER_OPERATORS = {
    "=": "write '=='",
    "=<": "write '<='",
    "=>": "write '>='",
    "<>": "write '!='",
    "&&": "write 'and'",
    "||": "write 'or'",
    "!": "write 'not'",
    "&": "write 'and'",
    "|": "write 'or'",
    "~": "write 'not'",
    "**": "write 'x * x'",
    "//": "write '/'",
    ":=": "a rule assigns nothing; write '=='",
    "^": "write 'a != b'",
    ":": "lists are [a, b]; ranges are 1 <= x <= 9",
    ";": "one rule is one expression",
}
_OTHER_CHARACTERS = {
    "≥": "write '>='",
    "≤": "write '<='",
    "≠": "write '!='",
    "×": "write '*'",
    "#": "a rule has no comments: say it in description",
    **dict.fromkeys("−–—", "write a plain '-'"),
    **dict.fromkeys("“”„‘’", "type a plain quote"),
}
_OTHER_WORDS = {
    "between": "write '18 <= age <= 65'",
    "like": "write name.str.contains('…') or name.str.startswith('…')",
    "ilike": "write name.str.lower().str.contains('…')",
    "rlike": "write name.str.contains('…')",
    "regexp": "write name.str.contains('…')",
    "isnull": "write 'is null'",
    "notnull": "write 'is not null'",
    "if": "write (condition and …) or (not condition and …)",
    "xor": "write 'a != b'",
}


@dataclass(frozen=True)
class Token:
    """One token; `kind` is number, string, quoted, name, keyword, null or operator."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a rule, bounded and free of what the language does not have."""
    half = next((i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None)
    if half is not None:
        raise RuleError("half of a character", text.encode("utf-8", "replace").decode(), half)
    size = len(text.encode())
    if size > MAX_BYTES:
        raise RuleError(f"a rule of {size} bytes is longer than {MAX_BYTES}", text, 0, hint="split it")
    found: list[Token] = []
    position = 0
    while position < len(text):
        token = _next(text, position, found[-1] if found else None)
        position = token.end
        if token.kind != "space":
            found.append(token)
    _check_order(text, found)
    return found


def _next(text: str, position: int, before: Token | None) -> Token:
    match = _TOKEN.match(text, position)
    if match is None:
        raise _unreadable(text, position)
    kind, word = str(match.lastgroup), match.group()
    token = Token(kind, word, position, match.end())
    if kind == "operator" and word in _OTHER_OPERATORS:
        raise RuleError(f"'{word}' is not an operator of rules", text, position, token.end, _OTHER_OPERATORS[word])
    if kind == "name" and not (before and before.text == "."):
        return Token(_word_kind(word), word, position, token.end)
    return token


def _word_kind(word: str) -> str:
    if word.lower() in KEYWORDS:
        return "keyword"
    return "null" if word.lower() == "null" or word == "None" else "name"


def _unreadable(text: str, position: int) -> RuleError:
    character = text[position]
    if character in "'\"`":
        return RuleError("a quote that is never closed", text, position, hint=f"add {character}")
    return RuleError(f"unexpected character {character!r}", text, position, hint=_OTHER_CHARACTERS.get(character, ""))


def _check_order(text: str, found: list[Token]) -> None:
    depth = 0
    for before, token in zip([None, *found], found, strict=False):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0) if token.kind == "operator" else 0
        if depth > MAX_DEPTH:
            raise too_deep(text, token.start)
        if before and _ends_value(before) and _starts_value(token):
            raise _no_operator(text, before, token)


def too_deep(text: str, start: int) -> RuleError:
    """The refusal of a rule whose nesting goes beyond the bound."""
    return RuleError(f"a rule nests no deeper than {MAX_DEPTH}", text, start, hint="split it")


def _ends_value(token: Token) -> bool:
    return token.kind in {"number", "string", "quoted", "name", "null"} or token.text in {")", "]"}


def _starts_value(token: Token) -> bool:
    return token.kind in {"number", "string", "quoted", "name", "null"}


def _no_operator(text: str, before: Token, token: Token) -> RuleError:
    word = token.text.lower() if token.kind == "name" else before.text.lower()
    hint = _OTHER_WORDS.get(word, "")
    if before.kind == token.kind == "string":
        hint = "a quote inside a string is written \\'"
    if before.kind == "number" and before.end == token.start:
        literal = before.text + token.text
        hint = f"write {literal.replace('_', '')}" if literal.replace("_", "").isdecimal() else ""
        return RuleError(f"'{literal}' is no number", text, before.start, token.end, hint)
    return RuleError(f"expected an operator before {token.text}", text, token.start, token.end, hint)


@dataclass(frozen=True)
class Line:
    """The tokens as one ASCII line of Python, with a way back from its columns to the rule's text."""

    text: str
    tokens: list[Token]
    source: str
    starts: dict[int, int]
    ends: dict[int, int]


def line_of(text: str) -> Line:
    """Tokenise a rule; token i that is a name or literal is written `t<i>`."""
    found, pieces, starts, ends, column = tokens(text), list[str](), {}, {}, 0
    for index, token in enumerate(found):
        piece = _python(token, index)
        starts[column], ends[column + len(piece)] = token.start, token.end
        column += len(piece) + 1
        pieces.append(piece)
    return Line(text, found, " ".join(pieces), starts, ends)


def _python(token: Token, index: int) -> str:
    if token.kind == "operator":
        return token.text
    return token.text.lower() if token.kind == "keyword" else f"t{index}"
