"""The fifteen conditions of the seed's documentation, word for word, with the verdicts they must give."""

from datetime import UTC, datetime

import polars as pl
import pytest

from mlops_assets.rules import evaluate, parse

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
CUSTOMERS = pl.DataFrame(
    {
        "age": [17, 18, None],
        "email": ["a@b.c", "nobody", None],
        "guardian_email": [None, "g@b.c", "g@b.c"],
        "country": ["US", "DE", "US"],
        "total_amount": [19.98, 20.0, None],
        "quantity": [2, 2, 2],
        "price": [9.99, 9.99, 9.99],
        "status": ["active", "closed", None],
        "customer_id": [1, None, 3],
        "tenure": [0, -1, float("nan")],
        "total_charges": [10.0, 5.0, 7.0],
        "monthly_charges": [10.0, 6.0, None],
        "date_of_birth": ["1990-01-31", "2990-01-31", "unknown"],
        "total_price": [17.982, 18.0, None],
        "unit_price": [9.99, 9.99, 9.99],
        "discount_rate": [0.1, 0.1, 0.1],
        "customers.id": [1, None, 3],
    },
    strict=False,
)
EXPECTED = {
    "age >= 18": [False, True, False],
    "email.str.contains('@')": [True, False, False],
    "(age >= 18) and (country == 'US')": [False, False, False],
    "total_amount == quantity * price": [True, False, False],
    "status in ['active', 'pending']": [True, False, False],
    "customer_id is not null": [True, False, True],
    "email.str.contains('@') or email is null": [True, False, True],
    "tenure >= 0": [True, False, False],
    "total_charges >= monthly_charges": [True, False, False],
    "date_of_birth < current_date()": [True, False, False],
    "status in ['active', 'pending', 'closed']": [True, True, False],
    "age >= 18 or guardian_email is not null": [False, True, True],
    "total_price == (quantity * unit_price) * (1 - discount_rate)": [True, False, False],
    "column_count > 5": [True, True, True],
    "customers.id is not null": [True, False, True],
}


def test_all_fifteen_are_here_and_parse() -> None:
    assert len({parse(text) for text in EXPECTED}) == 15


@pytest.mark.parametrize("condition", EXPECTED)
def test_a_condition_of_the_seed_gives_its_one_right_answer(condition: str) -> None:
    assert evaluate(condition, CUSTOMERS, as_of=AS_OF) == EXPECTED[condition]


@pytest.mark.spark
@pytest.mark.slow
def test_spark_gives_the_same_answers(spark) -> None:  # type: ignore[no-untyped-def]
    from mlops_assets_tests.rules.spark_frames import to_spark

    frame = to_spark(spark, CUSTOMERS)
    assert {text: evaluate(text, frame, as_of=AS_OF) for text in EXPECTED} == EXPECTED
