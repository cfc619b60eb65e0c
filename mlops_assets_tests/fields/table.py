"""docs/fields.md, made from the marks of the tests: `python -m mlops_assets_tests.fields.table` writes it.

A test says `@pytest.mark.field("data.format", "What changing it does.")`, wherever it is.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from mlops_assets.config.parsing.kinds import MODELS

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "fields.md"
DOCUMENTED = {
    "data": "source_path destination_path validation_rules format transformation_steps partitioning_columns "
    "z_order_by environment_vars",
    "features": "source_table feature_table_name primary_keys features timestamp_column partition_columns "
    "description tags online_store_enabled offline_store_path feature_transformations",
    "training": "model_type target_column feature_columns hyperparameters split_ratios metrics experiment_name "
    "run_name registry_model_name cross_validation_folds stratify sample_weight_column",
    "deployment": "model_name model_version environment deployment_type endpoint_name compute_type compute_scale "
    "min_replicas max_replicas autoscaling_enabled enable_access_control timeout_seconds tags environment_variables",
    "monitoring": "enabled metrics alert_thresholds monitoring_interval_minutes data_drift_detection "
    "model_performance_tracking alerting dashboard_name",
    "pipeline": "name description owner tags timeout_minutes retry_attempts environment schedule dependencies "
    "notification",
}
FIELDS = [f"{kind}.{name}" for kind, names in DOCUMENTED.items() for name in names.split()]
HEAD = """# What each field does

The fields of the six documents, each with its default, what changing it does, and the test that changes it and looks.
This page is made by those tests (`python -m mlops_assets_tests.fields.table`); every field there is, with its type, is
in the JSON Schemas of `configs/schema`.
"""


@dataclass(frozen=True)
class Effect:
    """What a field does, and the test that holds it."""

    field: str
    sentence: str
    file: str
    test: str


def effects() -> list[Effect]:
    """What the tests say of fields, in the order of their files."""
    return [effect for path in sorted(TESTS.rglob("test_*.py")) for effect in _of_file(path)]


def _of_file(path: Path) -> Iterator[Effect]:
    text = path.read_text(encoding="utf-8")
    if "mark.field" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) in ("field", "pytest.mark.field"):
                name, sentence = (ast.literal_eval(argument) for argument in mark.args)
                yield Effect(name, sentence, path.relative_to(TESTS).as_posix(), node.name)


def page() -> str:
    """The whole page."""
    found = effects()
    parts = [HEAD]
    for kind, names in DOCUMENTED.items():
        lines = [f"\n## {kind}\n\n| field | default | effect | test |\n|---|---|---|---|"]
        lines += [_line(f"{kind}.{name}", [each for each in found if each.field == f"{kind}.{name}"])
                  for name in names.split()]  # fmt: skip
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _line(name: str, held: list[Effect]) -> str:
    kind, field = name.split(".")
    sentences = " ".join(dict.fromkeys(each.sentence for each in held)) or "No test yet."
    tests = "<br>".join(f"`{each.file}::{each.test}`" for each in held)
    return f"| `{field}` | {_default(MODELS[kind].model_fields[field])} | {sentences} | {tests} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory:
        return "made from other fields"
    return f"`{_yaml(field.default)}`"


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, explicit_end=False).removesuffix("\n...\n").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
