"""Parses every text of the rule language in a document, so that a mistake shows before any row is read."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.config.crosschecks.rule_problems import rule_problem
from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.document import Document
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem
from mlops_assets.config.training import TrainingConfig
from mlops_assets.config.transform_steps import Derive, Filter
from mlops_assets.rules import RuleError, columns, foreign_columns, is_table_level, parse

Text = tuple[Path, str, str]


def condition_problems(document: Document[Any]) -> Iterator[Problem]:
    """What the rule language refuses in a document, at the place of the token in the file."""
    for path, label, text in texts_of(document.config):
        try:
            _parse(text, is_rule=path[0] == "validation_rules")
        except RuleError as error:
            yield rule_problem(document, path, label, error)


def _parse(text: str, *, is_rule: bool) -> None:
    tree = parse(text)
    if is_rule and not (columns(tree) or foreign_columns(tree) or is_table_level(tree)):
        message = "this rule reads no column, so its verdict is the same for any data"
        raise RuleError(message, text, 0, len(text), "compare a column of the table")


def foreign_tables(document: Document[Any]) -> Iterator[tuple[Path, str]]:
    """Path of the text and name of every other table that a document's conditions look values up in."""
    for path, _, text in texts_of(document.config):
        for column in sorted(foreign_columns(parse(text))):
            table = column.rpartition(".")[0]
            if table and table != document.name:
                yield path, table


def texts_of(config: Any) -> Iterator[Text]:
    """Path, label and text of every condition and expression of a config."""
    match config:
        case DataConfig():
            yield from _data_texts(config)
        case TrainingConfig():
            yield from _criteria(("promotion_criteria",), config.promotion_criteria)
        case DeploymentConfig():
            yield from _criteria(("rollout", "success_criteria"), config.rollout.success_criteria)


def _data_texts(config: DataConfig) -> Iterator[Text]:
    for index, rule in enumerate(config.validation_rules):
        yield ("validation_rules", index, "condition"), f"rule '{rule.name}'", rule.condition
    for index, step in enumerate(config.transformation_steps):
        if isinstance(step, Filter):
            yield ("transformation_steps", index, "condition"), "filter", step.condition
        if isinstance(step, Derive):
            for name, expression in step.columns.items():
                yield ("transformation_steps", index, "columns", name), f"column '{name}'", expression


def _criteria(path: Path, criteria: list[str]) -> Iterator[Text]:
    for index, criterion in enumerate(criteria):
        yield (*path, index), f"{path[-1]}", criterion
