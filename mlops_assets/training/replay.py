"""Replay: a registered version trained again from what its record names, and compared to the bit.

What differs is said in this order: tables whose recorded version cannot be read, rows and columns that are not those
learned from, then metrics and predictions. Other package versions are told, and are no difference by themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.frames import model_frame
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import Fitted, fit, refit
from mlops_assets.training.record import FILE, TrainingRecord, changed, column_hashes, packages
from mlops_assets.training.size import training_rows
from mlops_assets.trusted_types import load_model_file


@dataclass(frozen=True)
class Replay:
    """What came out; `inputs` and `outcome` are sentences on what differs, `notes` on what may explain it.

    `rows` were predicted and `metrics` compared, both 0 where the model could not be trained again.
    """

    version: ModelVersion
    inputs: list[str] = field(default_factory=list)
    outcome: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    metrics: int = 0

    @property
    def equal(self) -> bool:
        """Whether inputs, metrics and predictions are all the same to the bit."""
        return not self.inputs and not self.outcome


def record_of(registry: ModelRegistry, version: ModelVersion) -> TrainingRecord:
    """The record that was logged with a version.

    Raises:
        TrainingError: there is none, or this version of the package cannot read it.
    """
    text = registry.text(version, FILE)
    where = f"model '{version.name}' version {version.version}"
    if text is None:
        raise TrainingError(f"{where} has no {FILE} in its MLflow run: it was registered by something else")
    try:
        return TrainingRecord.model_validate_json(text).checked()
    except ValueError as error:
        raise TrainingError(f"{where}: its {FILE} cannot be read by this version: {error}") from error


def replay(registry: ModelRegistry, version: ModelVersion) -> Replay:
    """Train `version` again from its record and compare; writes nothing.

    Raises:
        TrainingError: the version has no record.
    """
    return replayed(registry, version, record_of(registry, version))


def replayed(registry: ModelRegistry, version: ModelVersion, record: TrainingRecord) -> Replay:
    """The same with a record at hand."""
    then, now = record.packages, packages()
    notes = [f"{name} was {then.get(name, 'not there')} and is {now.get(name)}" for name in changed(then, now)]
    (path, number), *_ = record.tables.items()
    try:
        rows = _read(path, number, *record.documents)
        fitted = fit(*record.documents, rows)
    except (LakeError, TrainingError, FeatureError) as error:
        return Replay(version, inputs=[str(error)], notes=notes)
    inputs = list(_inputs(record, fitted))
    final = refit(fitted) if record.refitted else fitted
    registered = load_model_file(registry.local_path(version) / "model.skops")
    table = model_frame(fitted.rows, fitted.inputs)
    measured = registry.metrics(version)
    outcome = [
        *_metrics(measured, fitted.metrics),
        *_predictions(_said(registered, table), _said(final.pipeline, table)),
    ]
    return Replay(version, inputs, outcome, notes, len(table), len(fitted.metrics))


def _read(path: str, number: int, config: TrainingConfig, features: FeatureConfig) -> pl.DataFrame:
    """The rows of a table at a version. Raises LakeError saying why it cannot be read any more."""
    where = f"table {path} cannot be read at Delta version {number}"
    try:
        return training_rows(delta.scan(path, number), config, features)
    except LakeError as error:
        reason = f"its log holds no such version ({error})" if delta.exists(path) else "the table is gone"
        raise LakeError(f"{where}: {reason}") from error
    except FileNotFoundError as error:
        raise LakeError(f"{where}: its files were vacuumed") from error


def _inputs(record: TrainingRecord, fitted: Fitted) -> Iterator[str]:
    path, number = next(iter(record.tables.items()))
    now = {name: fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    other = changed(record.splits, now)
    where = f"table {path} at Delta version {number}"
    for name in other:
        yield (
            f"{where} gives another {name} split: row-set hash {now.get(name, 'none')[:12]}, "
            f"recorded {record.splits.get(name, 'none')[:12]}, {len(fitted.splits.rows.get(name, ()))} rows now"
        )
    columns = changed(record.columns, column_hashes(fitted.rows))
    if columns and not other:
        yield f"{where} holds other values in {', '.join(columns)}"


def _metrics(then: Mapping[str, float], now: Mapping[str, float]) -> Iterator[str]:
    for name in now:
        if name not in then:
            yield f"metric {name} was not recorded and is {now[name]!r}"
        elif then[name] != now[name]:
            yield f"metric {name} was {then[name]!r} and is {now[name]!r}"


def _said(pipeline: Any, table: Any) -> Any:
    return pipeline.predict_proba(table) if hasattr(pipeline, "predict_proba") else pipeline.predict(table)


def _predictions(then: Any, now: Any) -> Iterator[str]:
    if then.shape != now.shape:
        yield f"predictions have shape {now.shape} and had {then.shape}"
        return
    same = (then == now) | ((then != then) & (now != now))
    rows = ~same.reshape(len(same), -1).all(axis=1)
    if rows.any():
        largest = f", by at most {np.abs(then - now).max():.3g}" if np.issubdtype(then.dtype, np.number) else ""
        yield f"predictions differ for {int(rows.sum())} of {len(rows)} rows{largest}"


def shown(found: Replay) -> str:
    """The answer in lines of text."""
    name = f"{found.version.name}/{found.version.version}"
    if found.equal:
        line = f"{name}: equal to the bit: {found.metrics} metrics, predictions of {found.rows} rows"
        return "\n".join([line, *(f"  note: {note}" for note in found.notes)])
    lines = [f"{name}: differs"]
    lines += [f"  input: {text}" for text in found.inputs]
    lines += [f"  outcome: {text}" for text in found.outcome]
    return "\n".join([*lines, *(f"  note: {note}" for note in found.notes)])
