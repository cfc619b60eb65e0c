"""All rules of a table in one pass: rows shared out, figures, examples."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlops_assets.rules import Rule, RuleError, validate

PEOPLE = pl.DataFrame(
    {"id": [1, 2, 3, None], "email": ["a@b", "x", None, "y"], "weight": [1.5, float("nan"), 2.0, 3.0]}
)
RULES = [
    Rule("has_id", "id is not null"),
    Rule("email", "email.str.contains('@')", "warning"),
    Rule("heavy", "weight > 1.6", "critical"),
    Rule("many", "row_count > 10"),
    Rule("never", "1 > 2", "info"),
]


def test_rows_that_break_an_error_or_critical_rule_leave_with_every_rule_they_broke() -> None:
    result = validate(PEOPLE, RULES)
    assert_frame_equal(result.passed, PEOPLE[[2]])
    assert_frame_equal(result.failed.drop("_failed_rules"), PEOPLE[[0, 1, 3]])
    assert result.failed["_failed_rules"].to_list() == [
        ["heavy", "never"],
        ["email", "heavy", "never"],
        ["has_id", "email", "never"],
    ]
    assert result.broken.to_list() == [True, True, False, True]


def test_each_rule_counts_its_failed_and_unknown_rows() -> None:
    has_id, email, heavy, many, never = validate(PEOPLE, RULES).outcomes
    assert (has_id.failed_rows, has_id.unknown_rows, has_id.share) == (1, 0, 0.25)
    assert (email.failed_rows, email.unknown_rows, email.passed) == (3, 1, False)
    assert (heavy.failed_rows, heavy.unknown_rows) == (2, 1)
    assert (many.table_level, many.passed, many.failed_rows) == (True, False, 0)
    assert (never.failed_rows, never.examples) == (4, ())


def test_examples_show_what_a_rule_reads_and_mask_what_is_sensitive() -> None:
    outcomes = validate(PEOPLE, RULES, sensitive=["email"], examples=2).outcomes
    assert outcomes[1].examples == ({"email": "***"}, {"email": None})
    assert outcomes[0].examples == ({"id": None},)


def test_a_table_where_all_rows_pass_comes_back_as_it_is() -> None:
    result = validate(PEOPLE.lazy(), [Rule("any", "weight > 0 or weight is null")])
    assert_frame_equal(result.passed, PEOPLE)
    assert result.failed.height == 0
    assert result.failed.schema == {**PEOPLE.schema, "_failed_rules": pl.List(pl.String)}


def test_an_empty_table_passes_and_says_that_it_was_empty() -> None:
    rules = [Rule("row", "id > 0"), Rule("rate", "null_rate(id) < 0.5"), Rule("distinct", "n_unique(id) > 3")]
    result = validate(PEOPLE.clear(), rules)
    assert [(o.passed, o.empty) for o in result.outcomes] == [(True, True)] * 3
    assert result.passed.columns == PEOPLE.columns


def test_a_rule_on_the_counts_alone_says_what_it_says_of_an_empty_table() -> None:
    rows, columns = validate(PEOPLE.clear(), [Rule("r", "row_count > 0"), Rule("c", "column_count == 3")]).outcomes
    assert (rows.passed, rows.empty) == (False, False)
    assert (columns.passed, columns.empty) == (True, False)


def test_a_table_level_rule_that_is_unknown_fails() -> None:
    data = pl.DataFrame({"x": [None, None]}, schema={"x": pl.Float64})
    assert not validate(data, [Rule("mean", "mean(x) > 0")]).outcomes[0].passed


def test_a_rule_that_does_not_fit_the_table_is_refused() -> None:
    with pytest.raises(RuleError, match="unknown column 'wieght'"):
        validate(PEOPLE, [Rule("typo", "wieght > 0")])


def test_columns_called_like_the_rules_or_the_row_do_not_disturb() -> None:
    data = pl.DataFrame({"row": [1, -1], "rule 0": [1, 1], "broken": [1, 1], "none": [1, 1]})
    result = validate(data, [Rule("r", "row > 0"), Rule("t", "max(row) == 1")])
    assert_frame_equal(result.passed, data[[0]])
    assert result.outcomes[1].passed


def test_another_table_is_read_under_its_name() -> None:
    flights, planes = pl.DataFrame({"tail": ["a", "b"]}), pl.DataFrame({"tail": ["a"]})
    result = validate(flights, [Rule("known", "tail in planes.tail")], tables={"planes": planes})
    assert result.failed["tail"].to_list() == ["b"]


def test_tolerance_belongs_to_its_rule() -> None:
    data = pl.DataFrame({"a": [1.004], "b": [1.0]})
    result = validate(data, [Rule("cents", "a == b", tolerance=0.005), Rule("exact", "a == b", "info")])
    assert [o.passed for o in result.outcomes] == [True, False]


@pytest.mark.parametrize("height", [0, 1, 3])
@pytest.mark.parametrize("others", [[], [Rule("first", "first > 0")]])
def test_a_rule_that_reads_no_column_speaks_of_every_row(height: int, others: list[Rule]) -> None:
    data = pl.DataFrame({"first": [1] * height}, schema={"first": pl.Int64})
    found = validate(data, [Rule("never", "1 > 2"), *others])
    assert (found.outcomes[0].failed_rows, found.failed.height, found.passed.height) == (height, height, 0)
