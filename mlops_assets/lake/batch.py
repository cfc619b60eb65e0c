"""Rows on their way from bronze to silver: shaped, validated, and shared out between silver and the quarantine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from mlops_assets.rules import Rule, RuleOutcome

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


ADDED_COLUMNS = ("_source_file", "_ingested_at", "_row_id")
# Columns of a document's tables, and of frames between them, in addition to the source's.
OWN_COLUMNS = (
    *ADDED_COLUMNS, "_partition", "_row", "_gone", "_failed_rules", "_run_id",
    "_replay", "_replayed_at", "_replayed_run", "_released", "_repair",
)  # fmt: skip
F = TypeVar("F")


@dataclass(frozen=True)
class Run:
    """What identifies a run: its id, and the instant that `current_date()` and `current_timestamp()` mean."""

    id: str
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Batch(Generic[F]):
    """Bronze rows on their way: `good` in silver's columns, `bad` in bronze's with the names of what they broke."""

    good: F
    bad: F
    good_rows: int
    bad_rows: int
    outcomes: tuple[RuleOutcome, ...]
    read: int
    added: Mapping[str, int]
    removed: Mapping[str, int]


def silver_rules(config: "DataConfig") -> list[Rule]:
    """The document's rules, and that no part of its primary key is null, nor the time of a version of a history."""
    declared = [
        Rule(rule.name, rule.condition, rule.severity, rule.tolerance, rule.description)
        for rule in config.validation_rules
    ]
    keys = [
        Rule(key_rule(key), f"`{key}` is not null", description="Part of the primary key.")
        for key in config.primary_keys
    ]
    return declared + keys + ([_has_a_time(config.sequence)] if config.mode == "scd2" and config.sequence else [])


def _has_a_time(column: str) -> Rule:
    return Rule(f"{column}_is_a_time", f"`{column}` is not null", description="A version is valid from its own time.")


def key_rule(column: str) -> str:
    """The name of the rule that a part of the primary key is not null."""
    return f"{column}_is_a_key"
