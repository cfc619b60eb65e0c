"""Writes a project's folder: the documents with a word on each choice, checked as they will be loaded."""

import getpass
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from mlops_assets.config import load_project
from mlops_assets.config.project import NOT_PROJECTS, PROJECT_NAME
from mlops_assets.scaffold import documents
from mlops_assets.scaffold.documents import Fields, Plan
from mlops_assets.scaffold.errors import ScaffoldError
from mlops_assets.scaffold.names import plain_names
from mlops_assets.scaffold.roles import Roles, roles_of
from mlops_assets.scaffold.table import read_table

WIDTH = 110
LONGEST_NAME = 55  # its endpoints are called <name>-staging, and may have 63


@dataclass(frozen=True)
class Written:
    """A new project: its folder, its files, what was chosen and why."""

    folder: Path
    files: tuple[Path, ...]
    choices: tuple[str, ...]


def write_project(folder: Path, source: Path, *, target: str | None = None, owner: str | None = None) -> Written:
    """Write the documents of a project on `source` into `folder`, whose name is the project's.

    Raises:
        ScaffoldError: the folder holds a project already or cannot be written, its name cannot be a project's, or the
            source cannot make one.
    """
    _check_name(folder.name)
    if folder.exists() and any(folder.glob("*.yaml")):
        raise ScaffoldError(f"{folder} holds documents already: remove it, or give the project another name")
    plan = _plan(folder.name, source.absolute(), target, owner)
    texts = {name: _text(name, fields, plan) for name, fields in _documents(plan).items()}
    _check(folder.name, texts)
    try:
        _write(folder, texts)
    except OSError as error:
        raise ScaffoldError(f"nothing can be written to {folder}: {error.strerror}") from error
    return Written(folder, tuple(folder / name for name in texts), tuple(_choices(plan)))


def _check_name(name: str) -> None:
    if not PROJECT_NAME.fullmatch(name):
        problem = f"'{name}' is no project name: letters, digits and underscores, a letter first"
        raise ScaffoldError(f"{problem}; such as '{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_') or 'churn'}'")
    if name in NOT_PROJECTS:
        raise ScaffoldError(f"'{name}' is no project name: that folder of the configs holds no project; take another")
    if len(name) > LONGEST_NAME:
        raise ScaffoldError(f"the project's name has {len(name)} characters; {LONGEST_NAME} are the most")


def _plan(name: str, source: Path, target: str | None, owner: str | None) -> Plan:
    table = read_table(source)
    renamed = plain_names(table.frame.columns)
    frame = table.frame.rename(renamed)
    roles = roles_of(frame, renamed.get(target, target) if target else None)
    if roles.time and frame.schema[roles.time] == pl.Date:
        frame = frame.with_columns(pl.col(roles.time).cast(pl.Datetime("us", "UTC")))
    # The variable lets the same project read the file elsewhere.
    path = f"${{{name.upper()}_SOURCE:-{source}}}"
    return Plan(name, owner or getpass.getuser(), path, table, frame, renamed, roles)


def _documents(plan: Plan) -> dict[str, Fields]:
    return {
        "pipeline.yaml": documents.pipeline_document(plan),
        "data.yaml": documents.data_document(plan),
        "features.yaml": documents.features_document(plan),
        "training.yaml": documents.training_document(plan),
        "deployment/staging.yaml": documents.deployment_document(plan, "staging"),
        "deployment/production.yaml": documents.deployment_document(plan, "production"),
        "monitoring.yaml": documents.monitoring_document(plan),
    }


def _check(name: str, texts: Mapping[str, str]) -> None:
    """Load the documents from a temporary folder first, so that a mistake leaves nothing behind."""
    around = Path(tempfile.mkdtemp())
    try:
        _write(around / name, texts)
        load_project(around / name)
    finally:
        shutil.rmtree(around)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _text(file: str, fields: Fields, plan: Plan) -> str:
    """A document as YAML, a comment above the fields that somebody may want to change."""
    notes = _notes(file.split(".")[0].split("/")[0], plan)
    lines = []
    for name, value in fields.items():
        lines += [f"# {note}" for note in notes.get(name, ())]
        lines.append(yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=WIDTH).rstrip())
    return "\n".join(lines) + "\n"


def _notes(kind: str, plan: Plan) -> dict[str, list[str]]:
    left_out = [f"Left out: {reason}." for reason in plan.roles.left_out.values()]
    alone = plan.table.path.is_file()
    return {
        "pipeline": {
            "owner": ["An e-mail address or a team's name."],
            "schedule": ["UNPAUSED switches it on."],
        },
        "data": {
            "source_path": ["A folder or a pattern such as data/*.csv takes in every new file, once."] if alone else [],
            "arrival_columns": ["The source has no key or time: file, row id and ingestion time are used instead."],
            "validation_rules": [
                "What every row of the source keeps. error: a row that breaks it goes to the quarantine; warning: it "
                "is counted;",
                "critical: nothing downstream runs.",
            ],
        },
        "features": {"features": left_out},
        "training": {
            "split_method": ["The newest rows are held out."] if plan.roles.time else [],
            "promotion_criteria": ["Better than guessing; ask for what your case needs."],
        },
        "deployment": {"tests": ["p95_ms: how long 19 of 20 callers wait at most; ask for what your case needs."]},
        "monitoring": {
            "min_sample": ["Rows a window needs before it may raise an alarm."],
            "model_performance_tracking": [
                "A rise of the errors raises the alarm; a bound goes into alert_thresholds."
            ],
        },
    }.get(kind, {})


def _choices(plan: Plan) -> Iterator[str]:
    roles: Roles = plan.roles
    how = "guessed; --target names another" if roles.guessed else "as you said"
    yield f"target: {roles.target} ({how}), {roles.task}" + (
        f" of {roles.classes} classes" if roles.task == "classification" else ""
    )
    yield f"key: {', '.join(plan.key)}" + ("" if roles.key else " (the table has no key of its own)")
    yield f"time: {plan.time}" + ("" if roles.time else " (the table has no time of its own)")
    yield f"features: {len(roles.features)} of {len(plan.frame.columns)} columns"
    yield from (f"left out: {reason}" for reason in roles.left_out.values())
    yield from (f"left out: {reason}" for reason in plan.table.left_out)
    yield from (f"masked in examples: {name}" for name in roles.sensitive)
    if plan.renamed:
        yield f"renamed: {len(plan.renamed)} columns, such as '{next(iter(plan.renamed))}'"
