"""Random rules over random rows mean the same on Polars as in the plain Python interpreter."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings

from mlops_assets import rules
from mlops_assets.rules import interpreter, polars, typed
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.polars_operations import OPERATIONS
from mlops_assets.rules.types import schema_of
from mlops_assets_tests.rules.generate import AS_OF, KINDS, OTHER, POLARS_ONLY, World, cases

RULES_A_FRAME = 10
TABLES = {"other": OTHER}
SCHEMAS = {"other": schema_of(OTHER)}
RUN = EvaluationContext(AS_OF, None, TABLES)
PLAIN_RUN = EvaluationContext(AS_OF, None, {"other": OTHER.to_dicts()})


def differences(world: World, texts: list[str], seen: Counter[str]) -> list[str]:
    """What Polars and the interpreter say differently, row for row, unknowns apart from falses."""
    schema, rows = schema_of(world.frame), world.frame.to_dicts()
    checked = [rules.check(text, schema, tables=SCHEMAS) for text in texts]
    for rule in checked:
        seen.update({n.operation for n in typed.walk(rule.root) if isinstance(n, typed.Apply)})
    compiled = [polars.compile_rule(c, RUN).alias(str(i)) for i, c in enumerate(checked)]
    found = polars.verdicts(world.frame.lazy(), compiled)
    wanted = [interpreter.evaluate(c, rows, PLAIN_RUN) for c in checked]
    return [
        f"{text}\n  polars {found[str(i)].to_list()}\n  python {wanted[i]}"
        for i, text in enumerate(texts)
        if found[str(i)].to_list() != wanted[i]
    ]


def traits(frame: pl.DataFrame) -> Iterator[str]:
    """What is unusual among a frame's values."""
    for column in frame:
        values = [value for value in column.to_list() if value is not None]
        yield from ["null"] if column.null_count() else []
        yield from ["decimal"] if isinstance(column.dtype, pl.Decimal) else []
        for value in values:
            if isinstance(value, float):
                yield from ["NaN"] if value != value else ["infinity"] if abs(value) == float("inf") else []
            elif isinstance(value, str):
                yield "empty text" if not value else "unicode" if not value.isascii() else "text"
            elif isinstance(value, date):
                yield from ["extreme date"] if value.year in (1, 9999) else []


def agree(examples: int) -> tuple[Counter[str], set[str]]:
    """Holds Polars against the interpreter; the operations and values that were used, and the rules."""
    seen: Counter[str] = Counter()
    rules_seen: set[str] = set()

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    @given(cases([*KINDS, *POLARS_ONLY], RULES_A_FRAME))
    def hold(case: tuple[World, list[str]]) -> None:
        rules_seen.update(case[1])
        seen.update({*traits(case[0].frame)})
        seen["pairs"] += len(case[1])
        assert differences(*case, seen) == []

    hold()
    return seen, rules_seen


def every_operation() -> set[str]:
    return {*OPERATIONS, *polars._WITH_CONTEXT, "current_date", "current_timestamp", "current_wall_time"}


def test_polars_agrees_with_the_interpreter_on_5000_random_rules_that_use_every_operation() -> None:
    seen, texts = agree(520)
    assert every_operation() - set(seen) == set()
    assert {"null", "NaN", "infinity", "empty text", "unicode", "extreme date", "decimal"} - set(seen) == set()
    assert (seen["pairs"] >= 5000, len(texts) >= 3000) == (True, True)


@pytest.mark.slow
def test_polars_agrees_with_the_interpreter_on_50000_random_rules() -> None:
    agree(5000)
