"""A table in batches has the verdicts that it has as a whole."""

from dataclasses import replace

import polars as pl
import pytest

from mlops_assets.rules import Rule, RuleError, validate
from mlops_assets.rules.stream import validate_stream

DATA = pl.DataFrame(
    {
        "id": range(1000),
        "price": [None if i % 50 == 7 else float("nan") if i % 50 == 9 else float(i % 13 - 1) for i in range(1000)],
        "tail": [f"N{i % 30}" for i in range(1000)],
    }
)
PLANES = pl.LazyFrame({"tail": [f"N{i}" for i in range(25)]})
RULES = [
    Rule("many", "row_count >= 1000"),
    Rule("positive", "price > 0"),
    Rule("mean", "mean(price) > 100"),
    Rule("known", "tail in planes.tail", "warning"),
    Rule("unique", "is_unique(id)"),
    Rule("own_tolerance", "flights.price == 5", "info", tolerance=0.5),
]


@pytest.mark.parametrize("batch", [1, 7, 333, 1000, 5000])
def test_batches_give_the_rows_names_and_figures_of_the_whole(batch: int) -> None:
    data = DATA if batch > 1 else DATA.head(20)
    passed, failed = [], []
    options = {"tables": {"planes": PLANES}, "table": "flights", "sensitive": ["tail"]}
    outcomes = validate_stream(
        data.lazy(), RULES, lambda v: (passed.append(v.passed), failed.append(v.failed)), batch=batch, **options
    )
    whole = validate(data, RULES, **options)
    assert pl.concat(passed).equals(whole.passed)
    assert pl.concat(failed).equals(whole.failed)
    assert outcomes == whole.outcomes
    assert len(passed) >= min(3, data.height // batch)


@pytest.mark.parametrize("rules", [RULES, RULES[:1], RULES[1:2], []])
def test_a_table_without_rows_has_its_verdicts_too(rules: list[Rule]) -> None:
    empty = DATA.clear()
    options = {"tables": {"planes": PLANES}, "table": "flights"}
    assert validate_stream(empty.lazy(), rules, lambda _: None, **options) == validate(empty, rules, **options).outcomes


def test_two_rules_of_one_text_keep_their_own_figures() -> None:
    rules = [Rule("a", "price > 0"), replace(RULES[0], name="b"), Rule("a", "price > 5")]
    assert validate_stream(DATA.lazy(), rules, lambda _: None, batch=100) == validate(DATA, rules).outcomes


def test_a_rule_that_does_not_fit_is_refused() -> None:
    for condition in ("idd > 1", "mean(idd) > 1"):
        with pytest.raises(RuleError, match="did you mean 'id'"):
            validate_stream(DATA.lazy(), [Rule("typo", condition)], lambda _: None)
