"""Monitoring documents: drift of one model's rows, and the alarm of their newest window.

An alarm stops nothing, whatever the severity of its check.
"""

from collections.abc import Sequence
from typing import Any

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.effects import ROWS_PER_BIN
from mlops_assets.monitoring.store import BATCH
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.watch import Watched, watch
from mlops_assets.registry import ModelRegistry
from mlops_assets.serving.model import load_served_model
from mlops_assets.steps.metadata import markdown_table, table_metadata
from mlops_assets.steps.monitored_rows import new_predictions, watched_features, with_slices
from mlops_assets.steps.monitoring_tables import clock, drift_tables
from mlops_assets.steps.reference import Warn, reference_rows
from mlops_assets.steps.result import Check, StepResult

ALARM = "alarm"


def drift(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    registry: ModelRegistry,
    warn: Warn,
) -> StepResult:
    """One verdict per window, champion and feature. `warn` takes a logger's warning.

    Raises:
        LakeError, RegistryError: the documents do not fit the tables, or no version is champion.
    """
    tables = drift_tables(project, lake)
    champion = registry.require_champion(documents.model)
    model = load_served_model(registry.local_path(champion))
    features = watched_features(config, model)
    names = with_slices(features, config)
    newest = delta.latest(lake.table(project.name, "gold", documents.predictions))
    profiled = delta.transaction_version(tables.profiles, BATCH)
    watched = watch(
        tables,
        new_predictions(project, documents, model, names, config, lake, profiled, newest),
        newest,
        after=profiled,
        version=champion.version,
        features=features,
        training=lambda: reference_rows(project, documents, champion, model, names, lake, warn),
        config=config,
        clock=clock(project),
    )
    check = drift_check(watched, config)
    return StepResult(_drift_metadata(tables.drift, watched), [check], log=check.description)


def alarm_check(*, window: str, champion: str, raised: bool, reason: str, since: str = "", warns: bool = True) -> Check:
    """The check that the drift sensor reads: window, champion and reason."""
    evidence = {"window": window, "champion": champion, "reason": reason, "since": since or window}
    return Check(ALARM, not raised, reason, evidence, warns=warns)


def drift_check(watched: Watched, config: MonitoringConfig) -> Check:
    """The check `alarm`, failed while the alarm is on and the newest finished window has drifted."""
    if not watched.windows:
        unit = config.window
        reason = (
            f"No {unit} that is over holds rows newer than the champion's; rows are judged when their {unit} is over."
        )
        return alarm_check(window="", champion=watched.version, raised=False, reason=reason)
    newest = watched.windows[-1]
    named_features = ", ".join(_effect_text(watched, newest.window, name) for name in newest.drifted_features[:3])
    more = len(newest.drifted_features) - 3
    reason = (
        f"{newest.window}: {newest.verdict.replace('_', ' ')}"
        + (f" in {named_features}" if named_features else "")
        + (f" and {more} more" if more > 0 else "")
        + (_too_few_rows_text(watched.features[newest.window], config) if newest.verdict == "insufficient_data" else "")
    )
    return alarm_check(
        window=newest.window,
        champion=watched.version,
        raised=watched.alarm.active and newest.drifted,
        reason=reason,
        since=watched.alarm.since or "",
        warns=config.check_severity == "warn" or newest.verdict != "severe",
    )


def _too_few_rows_text(features: Sequence[FeatureDrift], config: MonitoringConfig) -> str:
    rows = max((one.rows for one in features), default=0)
    return f": {rows} rows; a verdict takes {config.min_sample} (min_sample) and {ROWS_PER_BIN} a bin of each feature"


def _effect_text(watched: Watched, window: str, feature: str) -> str:
    verdict = next(one for one in watched.features[window] if one.feature == feature)
    return f"{feature} ({verdict.effect:.2f})"


def _drift_metadata(table: str, watched: Watched) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "champion": watched.version,
        "rows_profiled": watched.rows,
    }
    if watched.windows:
        newest = sorted(watched.features[watched.windows[-1].window], key=lambda one: one.effect, reverse=True)
        columns = ["feature", "verdict", "method", "effect", "limit", "p_adjusted", "psi_debiased"]
        metadata["newest_window"] = markdown_table(map(vars, newest), columns)
        metadata["drifted_features"] = len(watched.windows[-1].drifted_features)
        metadata |= table_metadata(table)
    return metadata
