"""Suggested rules hold on the table they were drawn from, and catch what differs."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import yaml
from click.testing import CliRunner

from mlops_assets.rules import Rule, validate
from mlops_assets.rules.__main__ import main
from mlops_assets.rules.suggest import suggest

CUSTOMERS = pl.DataFrame(
    {
        "id": range(200),
        "plan type": ["month", "it's", None, "year"] * 50,
        "email": [f"user{i}@example.com" for i in range(200)],
        "charges": [float(i) if i % 4 else float("nan") for i in range(200)],
        "share": [i / 200 for i in range(200)],
        "and": [date(2020, 1, 1)] * 200,
        "seen": [datetime(2020, 1, 1, 12)] * 200,
        "address": [{"city": "x"}] * 200,
        "empty": [None] * 200,
    }
)


def test_every_suggested_rule_holds_and_parses_back() -> None:
    rules = suggest(CUSTOMERS)
    assert {rule.name for rule in rules} >= {
        "id_not_null", "id_unique", "plan_type_values", "plan_type_null_rate", "email_email", "email_unique",
        "charges_not_negative", "charges_null_rate", "share_share", "and_past", "seen_since",
    }  # fmt: skip
    assert all(outcome.passed for outcome in validate(CUSTOMERS, rules).outcomes)


def test_a_suggested_rule_catches_a_new_value() -> None:
    worse = CUSTOMERS.with_columns(pl.lit("week").alias("plan type"), -pl.col("charges"))
    broken = {o.rule.name for o in validate(worse, suggest(CUSTOMERS)).outcomes if not o.passed}
    assert broken == {"plan_type_values", "charges_not_negative"}


def test_the_command_prints_a_block_for_the_document(tmp_path: Path) -> None:
    CUSTOMERS.drop("empty").write_delta(tmp_path / "customers")
    result = CliRunner().invoke(main, ["suggest", str(tmp_path / "customers")])
    assert result.exit_code == 0, result.output
    rules = [Rule(**entry) for entry in yaml.safe_load(result.output)["validation_rules"]]
    assert all(outcome.passed for outcome in validate(CUSTOMERS, rules).outcomes)
    assert len(rules) > 10
