"""Patterns are portable or refused."""

import pytest

from mlops_assets.rules.regex import PatternError, portable


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|a)*b",
        "(a|ab?)*c|(x|x)+",
        r"(\w+\s*)+$",
        "(a*)*",
        "(.*a)+",
        "((a?)?b)*",
        "(a|b|ab)*c",
        "(a+){2,9}",
    ],
)
def test_a_pattern_that_backtracks_exponentially_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="exponential"):
        portable(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"^[^@]+@[^@]+\.\w+$", r"([a-z0-9-]+\.)+[a-z]{2,}", "(ab|cd)*", r"(\d{3}-)?\d{4}",
    "(a|b)+c?", "(?:[A-Z]{2})*",
     r"^\d{4}-\d{2}-\d{2}$", "a*b*c*", "(a+,)*a+", "(?P<year>[0-9]+)"],
)  # fmt: skip
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert portable(pattern).literal is None


def test_a_pattern_without_metacharacters_is_searched_as_text() -> None:
    assert portable("@").literal == "@"
    assert portable(r"a\.b").literal == "a.b"
    assert portable("@", "match").literal is None
