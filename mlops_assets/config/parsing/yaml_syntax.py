"""YAML texts as node trees with positions, read by the rules of YAML 1.2's core schema.

PyYAML follows YAML 1.1, where `on`, `off`, `yes` and `no` are booleans, `1_000` and `12:30` are numbers and
`2013-01-01` is a date; here all of these are texts.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from mlops_assets.config.problems import Problem

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUTH = {form: value for value in (True, False) for form in (str(value), str(value).lower(), str(value).upper())}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL, _HEXADECIMAL = re.compile(r"0o[0-7]+"), re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 400

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes only, and gives none of them a tag that is not written: `core_value` gives the type."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        return ""


def core_value(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar in YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text


def compose(text: str) -> Iterator[yaml.Node | None]:
    """The root node of every document of a text, None for an empty one; raises yaml.YAMLError on the way."""
    yield from yaml.compose_all(text, Loader=_Loader)


_ESCAPE = "between double quotes \\ begins an escape: write / in paths, or put the text between single quotes"
_EXPLANATIONS = (
    (
        "mapping values are not allowed",
        "a text that holds ': ' needs quotes, and the fields of a mapping start in the same column",
    ),
    ("did not find expected key", "the indentation differs from the lines above, or a text needs quotes"),
    ("could not find expected ':'", "a field is written 'name: value'"),
    ("did not find expected ',' or ']'", "a list [..] is not closed, or ${VAR} in it needs quotes"),
    ("did not find expected ',' or '}'", "a mapping {..} is not closed, or ${VAR} in it needs quotes"),
    ("cannot start any token", "a text that starts with @, ` or % needs quotes"),
    ("undefined alias", "no value above is marked with & and this name, and a text that starts with * needs quotes"),
    ("expected alphabetic or numeric character", "a text that starts with * or & needs quotes"),
    ("hexdecimal number", _ESCAPE),
    ("unknown escape character", _ESCAPE),
    ("did not find expected node content", "a value is missing, or a comma too many is there"),
    ("unexpected end of stream", "a quote is not closed"),
    ("did not find expected '-' indicator", "the items of a list start with '- ' in the same column"),
)


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """What the parser stumbled over, with its position and, for the usual mistakes, what to do."""
    message = getattr(error, "problem", None) or str(error)
    # A key without its colon is noticed on the next line.
    marks = ("context_mark", "problem_mark") if "expected ':'" in message else ("problem_mark", "context_mark")
    mark = getattr(error, marks[0], None) or getattr(error, marks[1], None)
    if mark is None:
        return Problem.of_file(file, "is no YAML: " + " ".join(str(error).split()))
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        column = indentation.index("\t") + 1
        return Problem(file, mark.line + 1, column, "", "a tab indents this line", "indent with spaces")
    hint = next((hint for phrase, hint in _EXPLANATIONS if phrase in message), "")
    return Problem(file, mark.line + 1, mark.column + 1, "", f"is no YAML: {message}", hint)
