"""Lines of a metric over windows: what the template draws, in units of the drawing, and no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from mlops_assets.monitoring.estimates import PREFIX
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance

HEIGHT = 100.0
MOST_TICKS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A label of an axis at `at`; a minor one gives way on a narrow screen."""

    label: str
    at: float
    minor: bool = False


@dataclass(frozen=True)
class LineChart:
    """A metric over windows, in a drawing of `width` (one unit a window) by 100.

    SVG paths, and points that stand alone.
    """

    width: int
    champion: str
    interval: str
    baseline: str
    estimate: str
    champion_points: tuple[Point, ...]
    baseline_points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    threshold: float | None


def number(value: float | None) -> str:
    """Three significant digits, thousands separated, a dash for what is not known."""
    if value is None or np.isnan(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.3g}" if abs(value) < 1e-3 and value else f"{value:.{_decimals(value)}f}"
    return text.replace("-", "−")


def percent(value: float | None) -> str:
    """A share as a whole percentage, one decimal below one percent."""
    if value is None:
        return "–"
    return f"{value:.1%}" if 0 < value < 0.01 else f"{value:.0%}"


def ticks(windows: Sequence[str]) -> list[Tick]:
    """At most twelve windows' names, every third of which stays on a narrow screen."""
    step = max(int(np.ceil(len(windows) / MOST_TICKS)), 1)
    return [
        Tick(window, index + 0.5, (index // step) % 3 != 0) for index, window in enumerate(windows) if index % step == 0
    ]


def line_chart(
    windows: Sequence[str],
    champion: Mapping[str, WindowPerformance],
    baseline: Mapping[str, WindowPerformance],
    metric: str,
    threshold: float | None,
) -> LineChart | None:
    """The chart, or None where no window has a value."""
    sides = ((champion, metric), (baseline, metric), (champion, PREFIX + metric))
    first, second, estimated = ([metric_value(side.get(window), name) for window in windows] for side, name in sides)
    known = [
        value
        for one in (*first, *second, *estimated)
        if one
        for value in (one.value, one.lower, one.upper)
        if value is not None
    ]
    if not known:
        return None
    low, high, marks = _scale([*known, *([] if threshold is None else [threshold])])

    def at(index: int, value: float) -> Point:
        return index + 0.5, round(HEIGHT * (high - value) / (high - low), 3)

    lines = [
        [at(index, one.value) if one and one.value is not None else None for index, one in enumerate(side)]
        for side in (first, second, estimated)
    ]
    bands = [
        (at(index, one.upper), at(index, one.lower))
        if one and one.lower is not None and one.upper is not None
        else None
        for index, one in enumerate(first)
    ]
    return LineChart(
        len(windows),
        _path(lines[0]),
        _band(bands),
        _path(lines[1]),
        _path(lines[2]),
        tuple(point for point in lines[0] if point),
        tuple(point for point in lines[1] if point),
        tuple(Tick(number(mark), at(0, mark)[1]) for mark in marks),
        None if threshold is None else at(0, threshold)[1],
    )


def spans(names: Sequence[str | None]) -> list[tuple[str | None, int]]:
    """Equal neighbours as (name, how many)."""
    return [(name, len(list(group))) for name, group in groupby(names)]


def metric_value(performance: WindowPerformance | None, metric: str) -> MetricValue | None:
    """The metric as it was measured in a window, None where it was not."""
    if performance is None:
        return None
    return next((one for one in performance.metrics if one.name == metric), None)


def _path(points: Sequence[Point | None]) -> str:
    """An SVG path that is broken where there is no value."""
    steps, drawn = [], False
    for point in points:
        if point:
            steps.append(f"{'L' if drawn else 'M'}{point[0]:g},{point[1]:g}")
        drawn = point is not None
    return "".join(steps)


def _band(ends: Sequence[tuple[Point, Point] | None]) -> str:
    areas = []
    for known, group in groupby(ends, key=lambda end: end is not None):
        run = [end for end in group if end is not None]
        if known:
            outline = [upper for upper, _ in run] + [lower for _, lower in reversed(run)]
            areas.append("M" + "L".join(f"{x:g},{y:g}" for x, y in outline) + "Z")
    return "".join(areas)


def _scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Ends of the axis and its three to six round marks."""
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) * 0.1 or 1.0
    low, high = low - 0.12 * spread, high + 0.12 * spread
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough))
    return (
        low,
        high,
        [round(step * index, 10) for index in range(int(np.ceil(low / step)), int(high // step) + 1)],
    )


def _decimals(value: float) -> int:
    if value == 0:
        return 0
    return max(2 - int(np.floor(np.log10(abs(value)))), 0) if abs(value) < 1 else (1 if abs(value) >= 100 else 2)
