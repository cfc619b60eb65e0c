from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlops_assets.scaffold.errors import ScaffoldError
from mlops_assets.scaffold.roles import roles_of

N = 60
WHEN = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(N)]


def table(**columns: object) -> pl.DataFrame:
    base = {"customer_id": range(N), "age": [n % 7 for n in range(N)], "churned": [n % 3 == 0 for n in range(N)]}
    return pl.DataFrame({**base, **columns})


def test_the_target_is_guessed_by_its_usual_names_else_it_is_the_last_column() -> None:
    assert roles_of(table(last=[n % 5 for n in range(N)]), None).target == "churned"
    assert roles_of(table().rename({"churned": "went"}), None).target == "went"


def test_few_whole_numbers_are_classes_and_many_are_a_quantity() -> None:
    assert (roles_of(table(), "age").task, roles_of(table(), "age").classes) == ("classification", 7)
    assert roles_of(table(paid=[n * 1.5 for n in range(N)]), "paid").task == "regression"
    assert roles_of(table(paid=list(range(N))), "paid").task == "regression"


def test_a_unique_column_that_is_named_like_a_key_is_the_key() -> None:
    assert roles_of(table(), "churned").key == ("customer_id",)


def test_the_time_and_a_text_are_the_key_where_no_single_column_is() -> None:
    frame = pl.DataFrame(
        {
            "at": sorted(WHEN[: N // 2] * 2),
            "shop": ["a", "b"] * (N // 2),
            "x": [n % 3 for n in range(N)],
            "sold": [n % 4 for n in range(N)],
        }
    )
    found = roles_of(frame, "sold")
    assert (found.time, found.key) == ("at", ("at", "shop"))


def test_a_table_without_key_and_time_has_neither() -> None:
    found = roles_of(table().drop("customer_id"), "churned")
    assert (found.key, found.time) == ((), "")


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        ("same", ["x"] * N, "one value only"),
        ("story", [f"text {n}" for n in range(N)], "differs from row to row"),
        ("email", [f"p{n % 9}@example.com" for n in range(N)], "looks personal"),
        ("left", ["yes" if n % 3 == 0 else "no" for n in range(N)], "says what 'churned' is"),
        ("seen", WHEN[:30] * 2, "is a time"),
        ("cost", [f"{n},5" for n in range(N)], "have a decimal comma; write 2.5 for 2,5"),
    ],
)
def test_a_column_that_is_no_feature_is_left_out_and_the_reason_told(column: str, values: list, why: str) -> None:
    found = roles_of(table(at=WHEN, **{column: values}), "churned")
    assert why in found.left_out[column]
    assert found.features == ("age",)


def test_a_multiple_of_a_numeric_target_gives_it_away() -> None:
    found = roles_of(table(paid=[n * 1.5 for n in range(N)], cents=[n * 150 for n in range(N)]), "paid")
    assert "cents" in found.left_out


@pytest.mark.parametrize(
    ("target", "told"),
    [("chruned", "did you mean 'churned'"), ("same", "one value only"), ("story", "60 different values")],
)
def test_a_target_that_cannot_be_one_is_refused_with_the_reason(target: str, told: str) -> None:
    frame = table(same=["x"] * N, story=[f"text {n}" for n in range(N)])
    with pytest.raises(ScaffoldError, match=told):
        roles_of(frame, target)
