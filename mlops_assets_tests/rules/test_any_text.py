"""Whatever text a rule is, it is either a rule or a RuleError, and quickly."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.rules import RuleError, check, evaluate, schema_of

WORDS = """
age email price born a.b `x y` t.c row_count ( ) [ ] , . + - * / % == != < <= > = and or not in is null None
true NOT NULL .str.contains('a') .str.len() .dt.year 'a' '2020-01-31' " 1 2.5 1e5 abs( round( coalesce( date(
mean( current_date() é _ __class__ lambda if : null_rate(age) [1,2] () '\\ \x00 0x1 1. .5 `` @ #
"""
PIECES = [*WORDS.split(), "\n", "\t", "not in ['a']"]
FRAME = pl.DataFrame({"age": [1, None], "email": ["a", None], "price": [0.5, None], "x y": [True, None]})
SCHEMA = schema_of(FRAME)
# A text that takes a second hangs; a busy machine does not make it take one.
SETTINGS = settings(max_examples=1500, derandomize=True, deadline=2000, database=None)


def refused(text: str) -> RuleError | None:
    try:
        check(text, SCHEMA)
    except RuleError as error:
        return error
    return None


@SETTINGS
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12))
def test_a_heap_of_tokens_is_a_rule_or_a_rule_error(pieces: list[str]) -> None:
    text = " ".join(pieces)
    error = refused(text)
    if error is None:
        assert len(evaluate(text, FRAME)) == FRAME.height
    else:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.message in str(error)


@SETTINGS
@given(st.text(max_size=60))
def test_any_characters_are_a_rule_or_a_rule_error(text: str) -> None:
    error = refused(text)
    assert error is None or error.message in str(error)


@SETTINGS
@given(st.text(alphabet="ab()[]{}|*+?.^$\\d,1-:P<>=!", max_size=25))
def test_any_pattern_is_portable_or_refused(pattern: str) -> None:
    text = "email.str.contains('" + pattern.replace("\\", "\\\\") + "')"
    assert refused(text) or len(evaluate(text, FRAME)) == FRAME.height
