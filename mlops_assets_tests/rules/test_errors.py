"""A rule that is none is refused before any row is read, with its place and a hint."""

import pickle
import time
from datetime import date, datetime

import polars as pl
import pytest

from mlops_assets.rules import RuleError, check, evaluate, parse, schema_of

FRAME = pl.DataFrame(
    {"age": [1], "email": ["a"], "price": [1.5], "born": [date(2000, 1, 1)], "seen": [datetime(2000, 1, 1)],
     "active": [True], "address": [{"city": "x"}], "tags": [["a"]], "row count": [1]}
)  # fmt: skip
SCHEMA = schema_of(FRAME)
OTHER = {"planes": schema_of(pl.DataFrame({"tailnum": ["a"], "seats": [1]}))}


def refusal(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        check(text, SCHEMA, tables=OTHER)
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("emial.str.contains('@')", 1, "unknown column 'emial'", "did you mean 'email'?"),
        ("age > 1 and adress.city == 'x'", 13, "unknown column 'adress.city'", ""),
        ("address.town == 'x'", 1, "unknown field 'address.town'", "address.city"),
        ("age.years > 1", 1, "'age' is int and has no fields", ""),
        ("age = 1", 5, "'=' is not an operator", "write '=='"),
        ("age == = 1", 8, "'=' is not an operator", "write '=='"),
        ("age <> 1", 5, "'<>'", "write '!='"),
        ("age => 1", 5, "'=>'", "write '>='"),
        ("age =< 1", 5, "'=<'", "write '<='"),
        ("age ≥ 1", 5, "unexpected character", "write '>='"),
        ("age > –1", 7, "unexpected character", "write a plain '-'"),
        ("email == “a”", 10, "unexpected character", "type a plain quote"),
        ("age > 1 # old", 9, "unexpected character", "no comments"),
        ("age > 70%", 9, "a value is missing after '%'", "such as 0.7"),
        ("active && active", 8, "'&&'", "write 'and'"),
        ("active || active", 8, "'||'", "write 'or'"),
        ("!active", 1, "'!'", "write 'not'"),
        ("(age > 1) & (age < 3)", 11, "'&'", "write 'and'"),
        ("(age > 1) | (age < 3)", 11, "'|'", "write 'or'"),
        ("~active", 1, "'~'", "write 'not'"),
        ("age ** 2 > 1", 5, "'**'", "x * x"),
        ("age // 2 > 1", 5, "'//'", "write '/'"),
        ("age := 1", 5, "':='", "=="),
        ("age between 1 and 2", 5, "expected an operator", "18 <= age <= 65"),
        ("email like 'a%'", 7, "expected an operator", ".str.contains"),
        ("email not null", 11, "does not belong here", "is not null"),
        ("age == null", 8, "null stands only after 'is'", "is null"),
        ("age != None", 8, "null stands only after 'is'", "is not null"),
        ("age in [1, null]", 12, "null in a list", "or x is null"),
        ("age is 3", 8, "only null and not null follow 'is'", "=="),
        ("age == '25'", 8, "int and string cannot be compared", "write 25 without quotes"),
        ("email == 25", 10, "string and int cannot be compared", "write '25' in quotes"),
        ("active < true", 1, "bool has no order", "=="),
        ("address == 1", 12, "struct and int", ""),
        ("tags == 'a'", 9, "list and string", ""),
        ("born > 3", 8, "date and int", ""),
        ("age in [1, 'a']", 9, "literals of one type", ""),
        ("age in [email]", 9, "a list holds literals", ""),
        ("age in []", 8, "an empty list", ""),
        ("age in email", 8, "'email' is no list", "in [..]"),
        ("email in planes.tail", 10, "table 'planes' has no column 'tail'", "tailnum"),
        ("email in plains.tailnum", 10, "unknown table 'plains'", "planes"),
        ("email in planes.seats", 10, "string and int", ""),
        ("email + 1 > 2", 1, "'+' takes numbers, not string", ""),
        ("price % 2 == 0", 1, "'%' takes whole numbers, not float", ""),
        ("-email == 1", 2, "'-' takes a number", ""),
        ("+age > 1", 1, "unary plus", ""),
        ("not age", 5, "'not' takes conditions, not int", ""),
        ("active and age", 12, "'and' takes conditions, not int", ""),
        ("age.str.len() > 1", 1, ".str takes a string, not int", ""),
        ("email.dt.year > 1", 1, ".dt takes a date or datetime, not string", ""),
        ("born.dt.hour > 1", 9, "a date has no hour", ""),
        ("born.dt.yaer > 1", 9, "unknown property '.dt.yaer'", "year"),
        ("born.dt.year() > 1", 9, "is a property", "parentheses"),
        ("email.str.containz('a')", 11, "unknown method '.str.containz()'", "contains"),
        ("email.str.lower == 'a'", 11, "is a method", ".str.lower"),
        ("email.contains('a')", 7, "unknown method 'contains'", ".str.contains"),
        ("email.isnull()", 7, "unknown method 'isnull'", "is null"),
        ("email.str.contains(age)", 20, "takes one string in quotes", ""),
        ("email.str.contains('(')", 20, "not a regular expression", ""),
        ("email.str.contains('a(?=b)')", 20, "look-around", ""),
        (r"email.str.contains('(a)\1')", 20, "back-reference", ""),
        ("email.str.contains('(?i)a')", 20, "flags", ".str.lower()"),
        ("email.str.contains('(a+)+$')", 20, "exponential", ""),
        ("exec('x') == 1", 1, "unknown function 'exec'", ""),
        ("len(email) > 1", 1, "unknown function 'len'", "length(x)"),
        ("count(age) > 1", 1, "unknown function 'count'", "row_count"),
        ("round(age, age) > 1", 12, "0 to 15 places", ""),
        ("coalesce(age, email) > 1", 15, "one type", ""),
        ("coalesce(age) > 1", 1, "takes 2 to 1000 arguments, not 1", ""),
        ("current_date(1) > born", 1, "takes 0 arguments", ""),
        ("born > date('2020-02-30')", 13, "is no date", "2020-01-31"),
        ("age.__class__ is null", 5, "does not begin with _", ""),
        ("address._x is null", 9, "does not begin with _", ""),
        ("age > 99999999999999999999", 7, "does not fit 64 bits", ""),
        ("price > 1e999", 9, "beyond what a float holds", ""),
        ("age > 007", 7, "does not begin with 0", "write 7"),
        ("age > 1_000", 7, "is no number", "write 1000"),
        ("age > 0x10", 7, "is no number", ""),
        ("email == 'a", 10, "never closed", ""),
        ("(age > 1", 1, "never closed", "add )"),
        ("age in [1, 2", 8, "never closed", "add ]"),
        ("age > ", 5, "missing after '>'", ""),
        ("age", 1, "a rule is true or false, this is int", ""),
        ("age > 1, age < 2", 1, "not part of the rule language", ""),
        ("[1, 2]", 1, "not part of the rule language", "'in'"),
        ("age[0] > 1", 1, "not part of the rule language", ""),
        ("1 < age in [2]", 1, "a chain mixes", "parentheses"),
        ("row_count > age", 13, "one for the table", "two rules"),
        ("mean(max(age)) > 1", 6, "inside another", ""),
        ("mean(email) > 1", 6, "takes a number", ""),
        ("sum(1) > 1", 5, "takes a column", ""),
        ("", 1, "a rule is empty", ""),
        ("age > 1 # old", 9, "unexpected character '#'", ""),
        ("email == 'it''s'", 14, "expected an operator", "\\'"),
    ],
)  # fmt: skip
def test_an_error_points_at_its_token_and_says_what_would_be_right(
    text: str, column: int, message: str, hint: str
) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (1, column), str(error)
    assert message in error.message
    assert hint in error.hint


def test_an_error_shows_the_rule_with_carets() -> None:
    assert str(refusal("emial.str.contains('@') or email is null")) == (
        "1:1: unknown column 'emial'\n    emial.str.contains('@') or email is null\n    ^^^^^    did you mean 'email'?"
    )


def test_an_error_on_a_later_line_shows_that_line() -> None:
    error = refusal("age > 1\n  and é > 3")
    assert (error.line, error.column) == (2, 7)
    known = "known are active, address, age, born, column_count, email, price, row count, …"
    assert str(error).splitlines()[1:3] == ["      and é > 3", f"          ^    {known}"]


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(refusal("age > 1\n  and é > 3")))
    assert (error.line, error.column, error.hint[:5]) == (2, 7, "known")


def test_a_column_called_row_count_makes_the_bare_word_ambiguous() -> None:
    data = pl.DataFrame({"row_count": [7]})
    with pytest.raises(RuleError, match="is a column and a count"):
        evaluate("row_count == 7", data)
    assert evaluate("`row_count` == 7", data) == [True]


HOSTILE = {
    "brackets": "(" * 2000 + "1" + ")" * 2000,
    "lists": "[" * 2000,
    "nots": "not " * 1000 + "active",
    "minuses": "-" * 4000 + "1",
    "sum": "+".join(["age"] * 1000) + " > 1",
    "long": "age > 1 and " * 2000 + "age > 1",
    "megabyte": "age > 1" + " or age > 1" * 100_000,
    "calls": "abs(" * 1000 + "age" + ")" * 1000,
    "dots": "a" + ".b" * 2000,
    "items": "age in [" + ",".join(["1"] * 1100) + "]",
    "digits": "age > " + "9" * 4000,
    "quotes": "'" * 4095,
    "ticks": "`" * 4095,
    "escapes": "email == '" + "\\" * 4000,
    "import": "__import__('os').system('true') == 0",
    "dunder": "().__class__.__bases__[0] == 1",
    "format": "'{0.__class__}'.format(age) == 'x'",
    "lambda": "(lambda: age)() > 1",
    "comprehension": "[a for a in (1, 2)] == 1",
    "fstring": "f'{age}' == '1'",
    "walrus": "(age := 3) == 3",
    "star": "abs(*age) == 1",
    "ellipsis": "... == age",
    "bytes": "email == b'a'",
    "surrogate": "email == '\ud800'",
    "escaped surrogate": r"email == '\ud800'",
    "null byte": "age > 1\x00",
    "backtracking": "email.str.contains('(x+x+)+y')",
    "alternatives": "email.str.contains('(a|a)*b')",
    "repetition": "email.str.contains('((a{1000}){1000}){1000}')",
    "wide loop": "email.str.contains('(" + "|".join(["ab?"] * 300) + ")*')",
    "deep pattern": "email.str.contains('" + "(" * 500 + "a" + ")" * 500 + "')",
    "chains": "active == (" * 40 + "active" + " == active) == active" * 40,
    "quotients": "price / (" * 60 + "price" + ")" * 60 + " > 1",
    "remainders": "age % (" * 60 + "age" + ")" * 60 + " > 1",
    "coalesces": "coalesce(price, " * 60 + "price" + ")" * 60 + " > 1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_at_once(name: str) -> None:
    def seconds() -> float:
        began = time.thread_time()
        refusal(HOSTILE[name])
        return time.thread_time() - began

    # Of CPU: far more than any of them takes, far less than what would not end.
    assert min(seconds() for _ in range(3)) < 1


def test_a_rule_as_large_as_allowed_is_read() -> None:
    deep = "(" * 60 + "age > 1" + ")" * 60
    wide = " and ".join(f"age > {i}" for i in range(250))
    many = "age in [" + ",".join(map(str, range(1000))) + "]"
    assert [evaluate(text, FRAME) for text in (deep, wide, many)] == [[False], [False], [True]]


def test_a_thousand_rules_parse_and_check_in_seconds() -> None:
    texts = [f"(age + {i} > {i % 7}) and email.str.contains('x{i}') or price is not null" for i in range(1000)]
    began = time.process_time()
    for text in texts:
        check(text, SCHEMA)
    # benchmarks/rules.py says how long; a quadratic parser would take minutes.
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "text",
    ["age >", "len(x) > 1", "x.str.containz('a')", "x.str.match('(')", "x.dt.yaer == 1", "row_count > x"],
)
def test_parsing_finds_what_needs_no_schema(text: str) -> None:
    with pytest.raises(RuleError):
        parse(text)


def test_parsing_needs_no_schema() -> None:
    assert parse("anything > 1").text == "anything > 1"


@pytest.mark.parametrize(
    "text",
    ["price in [" + ",".join(f"{i}.5" for i in range(600)) + "]", " < ".join(["price"] * 300),
     " or ".join(f"age == {i}" for i in range(280)), "price / (" * 10 + "price" + ")" * 10 + " > 1"],
)  # fmt: skip
def test_a_wide_rule_runs_without_a_deep_expression(text: str) -> None:
    began = time.process_time()
    assert len(evaluate(text, FRAME)) == 1
    assert time.process_time() - began < 15
