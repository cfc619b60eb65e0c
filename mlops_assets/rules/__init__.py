"""The rule language: conditions over tables, checked before a row is read, the same on every engine.

Nothing here knows of documents, tables on disk or Dagster.
"""

from mlops_assets.rules import polars
from mlops_assets.rules.checker import check, infer, value
from mlops_assets.rules.errors import RuleError
from mlops_assets.rules.evaluation import evaluate
from mlops_assets.rules.outcome import Rule, RuleOutcome, Severity
from mlops_assets.rules.tree import Tree, columns, foreign_columns, is_table_level
from mlops_assets.rules.typed import Checked
from mlops_assets.rules.types import Schema, Type, schema_of
from mlops_assets.rules.validation import Validation, validate
from mlops_assets.rules.vocabulary import read as parse

__all__ = [
    "Checked",
    "Rule",
    "RuleError",
    "RuleOutcome",
    "Schema",
    "Severity",
    "Tree",
    "Type",
    "Validation",
    "check",
    "columns",
    "evaluate",
    "foreign_columns",
    "infer",
    "is_table_level",
    "parse",
    "polars",
    "schema_of",
    "validate",
    "value",
]
