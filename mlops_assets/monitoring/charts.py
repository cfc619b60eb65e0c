"""Geometry of the dashboard's charts: what the template draws, in units of the drawing, and no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from mlops_assets.monitoring.directions import higher_is_better
from mlops_assets.monitoring.estimates import PREFIX
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance
from mlops_assets.monitoring.verdict import FeatureDrift

if TYPE_CHECKING:
    from mlops_assets.monitoring.dashboard import Distribution

HEIGHT = 100.0
MOST_TICKS = 12
MOST_FEATURES = 25

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


@dataclass(frozen=True)
class Tile:
    """A number at the head of the page with what it means; `tone` is plain, good or bad."""

    name: str
    value: str
    note: str
    tone: str = "plain"


@dataclass(frozen=True)
class Cell:
    """A feature in a window: `tone` names the colour, `text` says the same without colour."""

    tone: str
    text: str
    title: str


@dataclass(frozen=True)
class Bar:
    """Both shares of one bin, as percentages of the tallest bar."""

    label: str
    reference: float
    current: float
    title: str


def number(value: float | None) -> str:
    """Three significant digits, thousands separated, a dash for what is not known."""
    if value is None or np.isnan(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    shown = f"{value:.3g}" if abs(value) < 1e-3 and value else f"{value:.{_decimals(value)}f}"
    return shown.replace("-", "−")


def percent(value: float | None) -> str:
    """A share as a whole percentage, one decimal below one percent."""
    if value is None:
        return "–"
    return f"{value:.1%}" if 0 < value < 0.01 else f"{value:.0%}"


def ticks(windows: Sequence[str]) -> list[Tick]:
    """At most twelve windows' names, every third of which stays on a narrow screen."""
    step = max(int(np.ceil(len(windows) / MOST_TICKS)), 1)
    return [
        Tick(window, index + 0.5, (index // step) % 3 != 0)
        for index, window in enumerate(windows)
        if index % step == 0
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
    first, second, estimated = (
        [_value(side.get(window), name) for window in windows] for side, name in sides
    )
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


def heat_map(
    windows: Sequence[str], drift: Mapping[str, Sequence[FeatureDrift]]
) -> list[tuple[str, list[Cell]]]:
    """A row of cells per feature, the most severe feature first, at most 25."""
    found = {(one.feature, window): one for window in windows for one in drift.get(window, ())}
    worst: dict[str, tuple[bool, float]] = {}
    for (feature, _), one in found.items():
        worst[feature] = max(worst.get(feature, (False, 0.0)), (one.drifted, one.severity))
    ranked = sorted(worst, key=lambda feature: worst[feature], reverse=True)[:MOST_FEATURES]
    return [
        (feature, [_cell(found.get((feature, window)), window) for window in windows]) for feature in ranked
    ]


def histogram(distribution: "Distribution") -> tuple["Distribution", list[Bar]]:
    """The distribution with its bars."""
    tallest = max((*distribution.reference, *distribution.current), default=1.0) or 1.0
    bars = [
        Bar(
            label,
            round(100 * then / tallest, 2),
            round(100 * now / tallest, 2),
            f"{label}: {percent(then)} of the reference, {percent(now)} of {distribution.window}",
        )
        for label, then, now in zip(
            distribution.labels, distribution.reference, distribution.current, strict=True
        )
    ]
    return distribution, bars


def tiles(
    windows: Sequence[str],
    champion: Mapping[str, WindowPerformance],
    baseline: Mapping[str, WindowPerformance],
    metric: str,
    drift: Mapping[str, Sequence[FeatureDrift]],
) -> list[Tile]:
    """What a reader asks first: how good, against what, how much has drifted, how much of it is known."""
    shown = []
    measured = [
        window
        for window in windows
        if (one := _value(champion.get(window), metric)) and one.value is not None
    ]
    if measured:
        shown += _performance_tiles(measured[-1], champion[measured[-1]], baseline.get(measured[-1]), metric)
    judged = [
        window
        for window in windows
        if any(one.verdict != "insufficient_data" for one in drift.get(window, ()))
    ]
    if judged:
        features = drift[judged[-1]]
        drifted = sum(one.drifted for one in features)
        unjudged = sum(one.verdict == "insufficient_data" for one in features)
        note = f"in {judged[-1]}" + (f"; {unjudged} not judged" if unjudged else "")
        shown.append(
            Tile("Features drifted", f"{drifted} of {len(features)}", note, "bad" if drifted else "good")
        )
    waiting = [window for window in windows if window in champion]
    if waiting:
        last = champion[waiting[-1]]
        shown.append(
            Tile(
                "Labels arrived",
                percent(last.coverage),
                f"{last.labelled:,} of {last.rows:,} in {last.window}",
            )
        )
    return shown


def _performance_tiles(
    window: str, performance: WindowPerformance, baseline: WindowPerformance | None, metric: str
) -> list[Tile]:
    value = _value(performance, metric)
    assert value is not None
    assert value.value is not None
    between = "" if value.lower is None else f", 95 % in {number(value.lower)} – {number(value.upper)}"
    shown = [Tile(metric, number(value.value), f"version {performance.version}, {window}{between}")]
    other = _value(baseline, metric)
    if other is not None and other.value is not None:
        gain = value.value - other.value
        better = gain >= 0 if higher_is_better(metric) else gain <= 0
        sign = "+" if gain > 0 else ""
        note = f"{number(other.value)} had it never been retrained"
        shown.append(Tile("Against the baseline", f"{sign}{number(gain)}", note, "good" if better else "bad"))
    return shown


def _value(performance: WindowPerformance | None, metric: str) -> MetricValue | None:
    if performance is None:
        return None
    return next((one for one in performance.metrics if one.name == metric), None)


def _cell(one: FeatureDrift | None, window: str) -> Cell:
    if one is None:
        return Cell("none", "", f"{window}: not profiled")
    measured = f"{one.method} {number(one.statistic)}, debiased PSI {number(one.psi_debiased)}"
    about = f"{one.feature}, {window}: {measured}"
    if one.verdict == "insufficient_data":
        return Cell("unknown", "", f"{about}; too few rows to judge ({one.rows:,})")
    adjusted = f", p {number(one.p_adjusted)}" if one.p_adjusted is not None else ""
    text = f"{one.effect:.{1 if one.effect >= 1 else 2}f}".removeprefix("0") if one.drifted else ""
    tone = one.verdict if one.drifted else ("near" if one.severity >= 0.5 else "ok")
    return Cell(tone, text, f"{about}{adjusted}: {one.verdict}")


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
    return (
        max(2 - int(np.floor(np.log10(abs(value)))), 0) if abs(value) < 1 else (1 if abs(value) >= 100 else 2)
    )
