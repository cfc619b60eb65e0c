"""How well a model did in a window: what is kept of it, and how it is stored.

What is not known is null with a reason, never 0.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import polars as pl

from mlops_assets.monitoring.directions import canonical
from mlops_assets.monitoring.estimates import PREFIX
from mlops_assets.monitoring.slices import WHOLE, split_name

PERFORMANCE_SCHEMA = pl.Schema(
    {
        "window": pl.String,
        "version": pl.String,
        "rows": pl.Int64,
        "labelled": pl.Int64,
        "coverage": pl.Float64,
        "metric": pl.String,
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "higher_is_better": pl.Boolean,
        "reason": pl.String,
    }
)
"""One row per window, version and metric, as `performance_frame` makes them."""


@dataclass(frozen=True)
class MetricValue:
    """A metric's value with its 95 % bootstrap interval (as far as it has one), or None and the reason why."""

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    higher_is_better: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class WindowPerformance:
    """One window and model version.

    Predictions made, those whose label has arrived, and each metric over the latter.
    """

    window: str
    version: str
    rows: int
    labelled: int
    metrics: tuple[MetricValue, ...]

    @property
    def coverage(self) -> float:
        """Labelled share of the rows."""
        return self.labelled / self.rows if self.rows else 0.0

    def value(self, metric: str) -> float | None:
        """The value of a metric by any of its names; None where it is undefined or was not asked for."""
        return next((one.value for one in self.named(metric) if split_name(one.name)[1] == WHOLE), None)

    def named(self, metric: str) -> list[MetricValue]:
        """A metric by any of its names, of the whole window and of its slices."""
        estimated = metric.startswith(PREFIX)
        wanted = (PREFIX if estimated else "") + canonical(metric)
        return [one for one in self.metrics if split_name(one.name)[0] == wanted]


def performance_frame(history: Sequence[WindowPerformance]) -> pl.DataFrame:
    """Long rows of `PERFORMANCE_SCHEMA`, to be stored."""
    rows = [
        {
            "window": one.window,
            "version": one.version,
            "rows": one.rows,
            "labelled": one.labelled,
            "coverage": one.coverage,
            "metric": value.name,
            **{name: found for name, found in asdict(value).items() if name != "name"},
        }
        for one in history
        for value in one.metrics
    ]
    return pl.DataFrame(rows, schema=PERFORMANCE_SCHEMA)


def performance_from_frame(frame: pl.DataFrame) -> list[WindowPerformance]:
    """What `performance_frame` stored, by window and version."""
    found = []
    for key, rows in frame.group_by("window", "version", maintain_order=True):
        values = rows.select(pl.col("metric").alias("name"), "value", "lower", "upper", "higher_is_better", "reason")
        metrics = tuple(MetricValue(**row) for row in values.iter_rows(named=True))
        found.append(WindowPerformance(str(key[0]), str(key[1]), rows["rows"][0], rows["labelled"][0], metrics))
    return found
