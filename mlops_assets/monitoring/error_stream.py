"""The champion's errors over time, as labels arrive, and change detection on that stream.

Errors are stored by window, so that a late label is put in its place. The detectors are run over the newest errors from
the beginning each time, so the result is the same after a kill, a restart or a second run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from mlops_assets.monitoring import windowed
from mlops_assets.monitoring.windows import of_length

Detector = Literal["adwin", "ddm", "page_hinkley"]
MOST_ERRORS = 20_000
SCALE = 0.99  # the quantile of a regression's errors that counts as 1
WITNESSES = 100  # errors up to a change whose mean is the new one


@dataclass(frozen=True)
class Change:
    """A rise of the errors that a detector found: the mean error before and after, a rate for classifiers."""

    detector: str
    at: datetime
    window: str
    before: float
    after: float

    @property
    def sentence(self) -> str:
        """The finding as part of a sentence."""
        return f"{self.detector}: errors rose from {self.before:.3g} to {self.after:.3g} at {self.at:%Y-%m-%d %H:%M}"


def errors_of(table: str) -> str:
    """The path of the table of errors, derived from that of the metrics."""
    return f"{table}_errors"


def keep_errors(table: str, labelled: pl.DataFrame, *, label: str, at: str, classifier: bool) -> None:
    """Store the errors of labelled rows, replacing those of their windows: 0 or 1 for a classifier, else |difference|.

    Columns: window, version, prediction, `label` and the time `at`.
    """
    if labelled.is_empty():
        return
    texts = classifier and pl.String in (labelled.schema[label], labelled.schema["prediction"])
    actual, predicted = (pl.col(name).cast(pl.String if texts else pl.Float64) for name in (label, "prediction"))
    error = (actual != predicted).cast(pl.Float64) if classifier else (actual - predicted).abs()
    instant = pl.col(at).cast(pl.Datetime("us", "UTC")).alias("at")
    known = labelled.drop_nulls([label, "prediction"])
    rows = known.select("window", "version", instant, error=error, wrong=pl.lit(classifier))
    for (version,), part in rows.group_by("version"):
        windowed.replace_windows(errors_of(table), part, keys={"version": str(version)}, transactions={})


def changes(table: str, version: str, detectors: Sequence[Detector], length: str) -> list[Change]:
    """The rises that each detector finds in a champion's newest 20,000 errors in windows of a length, oldest first."""
    if not detectors:
        return []
    own = of_length(length)
    read = windowed.read_back(errors_of(table), lambda rows: rows.height >= MOST_ERRORS, own, version)
    if read.is_empty():
        return []
    stream = read.sort("at", maintain_order=True).tail(MOST_ERRORS)
    found = [change for name in detectors for change in _detected_changes(name, stream)]
    return sorted(found, key=lambda change: change.at)


def _detected_changes(name: Detector, stream: pl.DataFrame) -> list[Change]:
    errors, detector = stream["error"], _detector(name)
    # Detectors take errors between 0 and 1; a few outliers must not make all others nothing.
    unit = 1.0 if stream["wrong"].all() else errors.quantile(SCALE) or 1.0
    scaled = (errors / unit).clip(0, 1)
    found, start = [], 0
    for place, error in enumerate(scaled.to_list()):
        detector.update(bool(error) if name == "ddm" else error)
        if detector.drift_detected:
            since = max(place - WITNESSES, start)
            before, after = (unit * _mean(part) for part in (scaled[start:since], scaled[since : place + 1]))
            if after > before:
                found.append(Change(name, stream["at"][place], stream["window"][place], before, after))
            start = since
    return found


def _mean(errors: pl.Series) -> float:
    return float(errors.to_numpy().mean()) if len(errors) else 0.0


def _detector(name: Detector) -> Any:
    """A detector by its name. ADWIN has river's defaults; the others have wider bounds, because by default they find a
    rise in every second stream of 20,000 errors without one.
    """
    import river.drift
    import river.drift.binary

    drift: Any = river.drift
    if name == "ddm":
        return drift.binary.DDM(warm_start=500, drift_threshold=4)
    return drift.ADWIN() if name == "adwin" else drift.PageHinkley(mode="up", threshold=100)
