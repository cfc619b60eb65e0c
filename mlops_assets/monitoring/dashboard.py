"""The dashboard: one self-contained page that needs no network, to be opened, sent or printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np

from mlops_assets.monitoring import charts, panels, tiles
from mlops_assets.monitoring.alarm import Alarm
from mlops_assets.monitoring.bins import Bins, Floats, NumericBins
from mlops_assets.monitoring.directions import canonical
from mlops_assets.monitoring.error_stream import Change
from mlops_assets.monitoring.performance import WindowPerformance
from mlops_assets.monitoring.quality import Quality
from mlops_assets.monitoring.summary import Profile
from mlops_assets.monitoring.verdict import FeatureDrift

MOST_LEVELS = 9
APART = ("null", "unseen", "other")
MOST_WINDOWS = 60


@dataclass(frozen=True)
class Distribution:
    """Shares of rows per bin of one feature in the reference and in a window; both add up to 1."""

    feature: str
    window: str
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class Retraining:
    """One row of the table of versions.

    Why it was trained, what was decided, and the numbers it was decided on.
    """

    window: str
    version: str
    cause: str
    decision: str
    promoted: bool
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Announcement:
    """One row of the table of alerts: an alarm or its end, why, and what came of telling it in each channel."""

    at: datetime
    kind: str
    window: str
    version: str
    monitor: str
    reasons: tuple[str, ...]
    deliveries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DashboardData:
    """All that the page shows.

    `windows` is the time axis, oldest first; what has no window in it is not drawn.

    `drift` holds each window's features, `performance` the champion's and `baseline` that of the first model,
    never retrained; `metric` is drawn, with its alert threshold where there is one; `quality` is each window's;
    `changes` are where detectors saw the champion's errors rise.
    """

    title: str
    as_of: datetime
    windows: Sequence[str]
    metric: str
    drift: Mapping[str, Sequence[FeatureDrift]] = field(default_factory=dict)
    distributions: Sequence[Distribution] = ()
    performance: Sequence[WindowPerformance] = ()
    baseline: Sequence[WindowPerformance] = ()
    retrainings: Sequence[Retraining] = ()
    threshold: float | None = None
    alarm: Alarm | None = None
    alerts: Sequence[Announcement] = ()
    quality: Mapping[str, Sequence[Quality]] = field(default_factory=dict)
    changes: Sequence[Change] = ()


def distribution(
    feature: str, window: str, reference: Profile, current: Profile, *, masked: bool = False
) -> Distribution:
    """The feature's verdict bins on both sides.

    Of a category the nine most frequent levels of either side, the rest as other. `masked` bins have a number in place
    of their values.
    """
    then, now = reference.columns[feature], current.columns[feature]
    first, second = then.verdict_counts(), now.verdict_counts()
    labels = [*_labels(then.bins), *APART]
    if not isinstance(then.bins, NumericBins):
        first, second, labels = _most_frequent(first, second, labels)
    kept = np.flatnonzero((first + second) > 0)
    if masked:
        labels = [f"bin {index}" if label not in APART else label for index, label in enumerate(labels, 1)]
    shares = [tuple((side / max(side.sum(), 1.0))[kept].tolist()) for side in (first, second)]
    return Distribution(feature, window, tuple(labels[index] for index in kept), shares[0], shares[1])


def render(dashboard: DashboardData) -> str:
    """The page as HTML: every value escaped, charts as inline SVG, no script and nothing to load."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("mlops_assets.monitoring", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = charts.number
    environment.filters["percent"] = charts.percent
    return environment.get_template("dashboard.html").render(page=_page(dashboard))


def _page(data: DashboardData) -> dict[str, object]:
    windows = list(data.windows)[-MOST_WINDOWS:]
    champion, baseline = _by_window(data.performance), _by_window(data.baseline)
    metric, heat = canonical(data.metric), panels.heat_map(windows, data.drift)
    return {
        "data": data,
        "windows": windows,
        "ticks": charts.ticks(windows),
        "chart": charts.line_chart(windows, champion, baseline, metric, data.threshold),
        "coverage": [champion[window].coverage if window in champion else None for window in windows],
        "champions": charts.spans([champion[one].version if one in champion else None for one in windows]),
        "retrainings": {window: [one for one in data.retrainings if one.window == window] for window in windows},
        "alerts": {window: [one for one in data.alerts if one.window == window] for window in windows},
        "changes": {window: [one for one in data.changes if one.window == window] for window in windows},
        "heat": [row for row in heat if panels.moved(row)],
        "calm": [row for row in heat if not panels.moved(row)],
        "quality": panels.quality_map(windows, data.quality),
        "gains": panels.gains(data.retrainings),
        "histograms": [panels.histogram(one) for one in data.distributions],
        "tiles": tiles.tiles(windows, champion, baseline, metric, data.drift),
        "numbers": [(window, champion.get(window), baseline.get(window)) for window in windows],
    }


def _by_window(history: Sequence[WindowPerformance]) -> dict[str, WindowPerformance]:
    """The last version of each window."""
    return {one.window: one for one in history}


def _labels(bins: Bins) -> list[str]:
    if not isinstance(bins, NumericBins):
        return list(bins.levels)
    edges = bins.edges[bins.coarse]
    if bins.temporal:
        shown = [str(np.datetime64(int(edge), "us").astype("datetime64[m]")) for edge in edges]
    else:
        shown = [f"{edge:.4g}".replace("-", "−") for edge in edges]
    if not shown:
        return ["all"]
    # The bin of a spike begins right below it: it is that one value.
    single = np.nextafter(edges[:-1], np.inf) == edges[1:]
    between = [high if one else f"{low} – {high}" for one, (low, high) in zip(single, pairwise(shown), strict=True)]
    below = f"< {shown[0]}" if len(single) and single[0] else f"≤ {shown[0]}"
    return [below, *between, f"> {shown[-1]}"]


def _most_frequent(first: Floats, second: Floats, labels: list[str]) -> tuple[Floats, Floats, list[str]]:
    levels = len(labels) - 3
    weight = (first / max(first.sum(), 1.0) + second / max(second.sum(), 1.0))[:levels]
    order = np.argsort(-weight, kind="stable")
    kept, rest = [*order[:MOST_LEVELS], levels, levels + 1, levels + 2], order[MOST_LEVELS:]
    sides = []
    for side in (first, second):
        pooled = side.copy()
        pooled[-1] += side[rest].sum()
        sides.append(pooled[kept])
    return sides[0], sides[1], [labels[index] for index in kept]
