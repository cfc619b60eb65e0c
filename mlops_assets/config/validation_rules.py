"""The validation rules of a data document; a bare condition is named after its text."""

import re
from typing import Any, Literal

from pydantic import Field

from mlops_assets.config.base import Name, Number, StrictModel, unique_name

Severity = Literal["info", "warning", "error", "critical"]


class ValidationRule(StrictModel):
    """A condition every row (or the table) has to meet; a bare string is a rule named from its text."""

    name: Name = Field(description="Name of the rule, unique in its document.")
    condition: Name = Field(description="Condition in the rule language; a row passes only if it is true.")
    severity: Severity = Field(
        default="error",
        description="info and warning are only shown; error quarantines the row; critical stops the run.",
    )
    description: str = Field(default="", description="What the rule means, for people.")
    tolerance: Number | None = Field(
        default=None,
        ge=0,
        description="Absolute tolerance of == and != between floats, in the columns' units.",
    )


_WORDS = {
    ">=": "ge",
    "<=": "le",
    "==": "eq",
    "!=": "ne",
    ">": "gt",
    "<": "lt",
    "+": "plus",
    "*": "times",
    "/": "by",
}


def rule_name(condition: str) -> str:
    """The name of a bare rule, made from its text: `monthly_charges > 0` is `monthly_charges_gt_0`."""
    worded = re.sub(r">=|<=|==|!=|[<>+*/]", lambda found: f" {_WORDS[found[0]]} ", condition)
    return re.sub(r"\W+", "_", worded).strip("_").lower() or "rule"


def named_rules(rules: list[Any]) -> list[Any]:
    """Bare strings as rules with names that are unique in the list; other items as they are."""
    taken = {rule["name"] for rule in rules if isinstance(rule, dict) and isinstance(rule.get("name"), str)}
    named: list[Any] = []
    for rule in rules:
        rule = rule or ""
        if isinstance(rule, str):
            rule = {"name": unique_name(rule_name(rule), taken), "condition": rule}
        named.append(rule)
    return named
