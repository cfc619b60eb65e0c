"""The references that windows are compared with, fitted once per champion and `basis`."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.errors import Overtaken
from mlops_assets.monitoring import slices, store
from mlops_assets.monitoring.profile import Reference, fit_reference

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig


def fitted_references(
    table: str,
    version: str,
    names: Sequence[str],
    training: Callable[[], pl.DataFrame],
    config: "MonitoringConfig",
) -> dict[str, Reference]:
    """A champion's references by slice; if there are none yet, fitted on the columns `names` of the `training` rows."""
    stored = store.read_references(table, version, basis(config))
    if stored:
        return stored
    parts = slices.slice_rows(training(), config.slices, at_least=config.min_sample)
    found = {name: fit_reference(part.select(names), names) for name, part in parts.items()}
    try:
        store.write_references(table, version, basis(config), found)
    except Overtaken:
        return store.read_references(table, version, basis(config))
    return found


def basis(config: "MonitoringConfig") -> str:
    """The parts of the document that a reference depends on; if they change, a new one is fitted."""
    drift = config.data_drift_detection
    named = {"dataset": drift.reference_dataset, "features": drift.features_to_monitor} if drift else {}
    return json.dumps({**named, "slices": config.slices}, sort_keys=True)
