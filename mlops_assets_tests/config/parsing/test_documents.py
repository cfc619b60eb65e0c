from typing import Any

import pytest

from mlops_assets.config.parsing.documents import parse_sources
from mlops_assets.config.parsing.source import Position, Source
from mlops_assets.config.problems import Problem


def read(text: str) -> tuple[list[Source], list[str]]:
    problems: list[Problem] = []
    sources = parse_sources(text, "x.yaml", {}, problems)
    problems += [problem for source in sources for _, problem in source.problems]
    return sources, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "y", "Yes", "ON")],
        *[(word, word) for word in ("1_000", "12:30", "2013-01-01", "0b1", "+.inf.", "1e", "=")],
        ("true", True),
        ("False", False),
        ("7", 7),
        ("-7", -7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.10", 1.1),
        ("1e-3", 0.001),
        ("-.inf", float("-inf")),
        ("null", None),
        ("~", None),
        ("", None),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!str 7", "7"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: Any) -> None:
    (source,), problems = read(f"a: {written}\n")
    assert problems == []
    assert source.data == {"a": value}
    assert type(source.data["a"]) is type(value)


def test_keys_that_yaml_1_1_takes_for_booleans_are_texts() -> None:
    assert read("on: 1\noff: 2\nyes: 3\ntrue: 4\n")[0][0].data == {"on": 1, "off": 2, "yes": 3, "true": 4}


def test_whole_numbers_as_keys_stay_numbers() -> None:
    assert read("class_weight: {0: 1, 1: 5.0, '2': 3}\n")[0][0].data["class_weight"] == {0: 1, 1: 5.0, "2": 3}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: a: this field is given twice; the first stands on line 1"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1:11: a.b: this field is given twice; the first stands on line 1"),
        (
            'a: "C:\\Users\\me.csv"\n',
            "x.yaml:1:9: is no YAML: did not find expected hexdecimal number; between double quotes",
        ),
        (
            "a: [b,,]\n",
            "x.yaml:1:7: is no YAML: did not find expected node content; a value is missing, or a comma too many",
        ),
        ("a:\n\tb: 1\n", "x.yaml:2:1: a tab indents this line; indent with spaces"),
        ("a:\n  b: 1\n \tc: 2\n", "x.yaml:3:2: a tab indents this line; indent with spaces"),
        ("- a\n", "x.yaml:1:1: a document is a mapping of fields, 'name: value'"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            "the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: !secret x\n", "the tag !secret is not accepted"),
        ("a: &x [*x]\n", "x.yaml:1:4: is no YAML: holds itself"),
        ("a: b: c\n", "quotes"),
        ("a: [1, 2\nb: 3\n", "a list [..] is not closed"),
        ("a: 'x\n", "a quote is not closed"),
        ("a: *x\n", "a text that starts with * needs quotes"),
        ("a: @x\n", "a text that starts with @, ` or % needs quotes"),
        ("a: {{x}}\n", "a key is a text"),
        ("a: \x01\n", "x.yaml:1:1: is no YAML: unacceptable character"),
    ],
)
def test_a_mistake_in_the_syntax_is_explained_where_it_is(text: str, problem: str) -> None:
    (said,) = read(text)[1]
    assert problem in said
    assert said.startswith("x.yaml:")


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = read("\n".join(lines))[1]
    assert "has more than 50000 values" in problem


def test_deep_nesting_is_refused() -> None:
    (problem,) = read("a: " + "[" * 5000 + "]" * 5000)[1]
    assert problem.startswith("x.yaml:1:")


def test_several_documents_stand_in_one_file_with_positions_of_the_file() -> None:
    sources, problems = read("# first\na: 1\n---\n# nothing\n---\nb: 2\n")
    assert problems == []
    assert [source.data for source in sources] == [{"a": 1}, {"b": 2}]
    assert sources[1].places[()].shown == Position("x.yaml", 6, 1)


def test_positions_are_those_of_scalars_and_of_keys_of_lists() -> None:
    (source,) = read("# c\na:\n  - b: 'x'\n    c: |\n\n      y\n")[0]
    assert source.place(("a",)).shown == Position("x.yaml", 2, 1)
    assert source.place(("a", 0, "b")).shown == Position("x.yaml", 3, 8)
    assert source.place(("a", 0, "b")).text_start == Position("x.yaml", 3, 9)
    assert source.place(("a", 0, "c")).text_start == Position("x.yaml", 6, 7)
    assert source.place(("a", 0, "missing")).shown == Position("x.yaml", 3, 5)


def test_merged_mappings_are_filled_up_and_not_overwritten() -> None:
    (source,) = read("base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\n")[0]
    assert source.data["a"] == {"x": 1, "y": 3}
