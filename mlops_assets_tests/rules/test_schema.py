"""Rules as a Pandera schema: Pandera's own errors, from one pass."""

import polars as pl
import pytest

from mlops_assets.rules import Rule, RuleError
from mlops_assets.rules.schema import pandera_schema

DATA = pl.DataFrame({"id": [1, 2, None], "email": ["a@b", "x", None]})
RULES = [
    Rule("has_id", "id is not null"),
    Rule("email", "email.str.contains('@') or email is null", "warning"),
    Rule("positive", "id > 0"),
    Rule("many", "row_count > 2"),
]


@pytest.mark.filterwarnings("ignore::pandera.errors.SchemaWarning")
def test_failing_rows_come_out_of_pandera_with_their_rule_and_index() -> None:
    from pandera.errors import SchemaErrors

    with pytest.raises(SchemaErrors) as caught:
        pandera_schema(DATA.schema, RULES, name="customers").validate(DATA, lazy=True)
    cases = caught.value.failure_cases
    assert cases.select("check", "index").rows() == [("has_id: id is not null", 2), ("positive: id > 0", 2)]


def test_a_warning_rule_warns_and_lets_the_rows_through() -> None:
    from pandera.errors import SchemaWarning

    with pytest.warns(SchemaWarning, match="1 of 3 rows"):
        assert pandera_schema(DATA.schema, [RULES[1]]).validate(DATA).equals(DATA)


def test_a_lazy_frame_is_checked_as_well() -> None:
    from pandera.errors import SchemaErrors

    with pytest.raises(SchemaErrors) as caught:
        pandera_schema(DATA.schema, [RULES[0]]).validate(DATA.lazy(), lazy=True)
    assert caught.value.failure_cases["check"].to_list() == ["has_id: id is not null"]


def test_declared_columns_are_checked_by_pandera() -> None:
    from pandera.errors import SchemaError, SchemaErrors

    with pytest.raises((SchemaError, SchemaErrors), match="email"):
        pandera_schema(DATA.schema, []).validate(DATA.drop("email"))


def test_a_table_level_rule_fails_as_one_case() -> None:
    from pandera.errors import SchemaErrors

    with pytest.raises(SchemaErrors) as caught:
        pandera_schema(DATA.schema, [Rule("many", "row_count > 3")]).validate(DATA, lazy=True)
    assert caught.value.failure_cases["check"].to_list() == ["many: row_count > 3"]


def test_a_rule_that_does_not_fit_is_refused_when_the_schema_is_made() -> None:
    with pytest.raises(RuleError):
        pandera_schema(DATA.schema, [Rule("typo", "idd > 0")])
