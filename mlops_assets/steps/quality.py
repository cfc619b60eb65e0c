"""Monitoring documents: data quality of new rows, one finding per window and check, and the check that alerts read."""

from typing import Any

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring import store, windowed
from mlops_assets.monitoring.quality import (
    Quality,
    freshness,
    is_over,
    read_quality,
    score,
    window_quality,
    windows_before,
    write_quality,
)
from mlops_assets.monitoring.references import basis
from mlops_assets.monitoring.windows import of_length
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps.arrived import arrived
from mlops_assets.steps.metadata import markdown_table, table_metadata
from mlops_assets.steps.monitored_rows import newest_prediction
from mlops_assets.steps.monitoring_tables import clock, drift_tables, quality_table
from mlops_assets.steps.result import Check, StepResult

METRIC = "data_quality"
WHOLE = "whole"
SHOWN = 20


def quality(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, registry: ModelRegistry
) -> StepResult:
    """One row per champion, window and finding.

    Raises:
        LakeError, RegistryError: the documents do not fit the tables, or no version is champion.
    """
    champion = registry.require_champion(documents.model)
    judge_new_windows(project, documents, config, lake, champion.version)
    table = quality_table(project, lake)
    findings = read_quality(table, champion.version, config.window, clock(project))
    check = _quality_check(findings)
    return StepResult(_metadata(table, findings), [check], log=check.description)


def judge_new_windows(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, version: str
) -> None:
    """Judge the windows of the newest predictions, from the drift monitor's profiles.

    The last two windows are judged again: the one before the newest may have ended since.
    """
    tables, table, time = drift_tables(project, lake), quality_table(project, lake), clock(project)
    references = store.read_references(tables.references, version, basis(config))
    reference_profiles = {name: reference.profile for name, reference in references.items()}
    last = _last_windows(tables.drift, version, config)
    for window in sorted({*store.newest_batch(tables.profiles, version, config.window), *last}):
        current = store.read_profiles(tables.profiles, version, [window], references)
        if not current:  # profiled against a reference of an earlier document
            continue
        arrivals = arrived(project, documents, config, lake, window, list(current))
        earlier = windows_before(table, version, window, config.window)
        findings = window_quality(reference_profiles, current, arrivals, earlier, config, over=is_over(window, time))
        if window in last[-1:] and config.max_age is not None:
            findings += freshness(newest_prediction(project, documents, lake), time.now, config)
        write_quality(table, version, {window: findings})


def _last_windows(table: str, version: str, config: MonitoringConfig) -> list[str]:
    """The last windows with a verdict, oldest first."""
    read = windowed.read_back(table, lambda rows: rows["window"].n_unique() > 1, of_length(config.window), version)
    return read["window"].unique().sort().to_list()[-2:] if read.height else []


def _quality_check(by_window: dict[str, list[Quality]]) -> Check:
    window, newest = next(reversed(by_window.items()), ("", []))
    reasons = {name: "; ".join(one.sentence for one in findings if one.failed) for name, findings in by_window.items()}
    failed = "; ".join(f"{name}: {text}" for name, text in reasons.items() if text)
    description = failed or (f"{window}: no check failed" if window else "No window is profiled yet.")
    return Check(WHOLE, not failed, description, {"window": window, METRIC: score(newest)}, warns=True)


def _metadata(table: str, by_window: dict[str, list[Quality]]) -> dict[str, Any]:
    if not by_window:
        return {}
    findings = next(reversed(by_window.values()))
    worst = sorted(findings, key=lambda one: (one.failed, one.value - one.expected), reverse=True)[:SHOWN]
    columns = ["check", "subject", "value", "expected", "limit", "verdict"]
    return {
        METRIC: score(findings),
        "failed": sum(one.failed for one in findings),
        "newest_window": markdown_table(map(vars, worst), columns),
        **table_metadata(table),
    }
