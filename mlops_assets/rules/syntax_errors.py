"""Refusals of a text that is no rule: Python's own in the rule's words and places, and what to write instead."""

from mlops_assets.rules.errors import RuleError
from mlops_assets.rules.tokens import Line, too_deep

# Methods that pandas has and the rule language says in words.
PANDAS_METHODS = {
    "isnull": "write 'is null'",
    "isna": "write 'is null'",
    "notnull": "write 'is not null'",
    "notna": "write 'is not null'",
    "isin": "write 'in [..]'",
    "between": "write '18 <= age <= 65'",
}


def syntax_error(line: Line, error: Exception) -> RuleError:
    """The parser's error at the token that it stumbled over."""
    if not isinstance(error, SyntaxError) or "too many nested" in error.msg or "too complex" in error.msg:
        return too_deep(line.text, 0)
    column = (error.offset or len(line.source) + 1) - 1
    token = next((token for end, token in zip(line.ends, line.tokens, strict=True) if end > column), None)
    if token is None:
        last = line.tokens[-1]
        hint = "a share is a number such as 0.7" if last.text == "%" else ""
        return RuleError(f"a value is missing after '{last.text}'", line.text, last.start, last.end, hint)
    if "never closed" in error.msg:
        hint = f"add {']' if token.text == '[' else ')'}"
        return RuleError(f"'{token.text}' is never closed", line.text, token.start, token.end, hint)
    hint = "write 'is not null'" if token.kind in {"keyword", "null"} and "null" in line.text.lower() else ""
    return RuleError(f"'{token.text}' does not belong here", line.text, token.start, token.end, hint)
