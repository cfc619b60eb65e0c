"""Heat map, gains and histograms of the dashboard: what the template shows, and no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.monitoring.charts import number, percent
from mlops_assets.monitoring.quality import AGE, BROKEN, NULLS, UNSEEN, VOLUMES, Quality
from mlops_assets.monitoring.verdict import FeatureDrift

if TYPE_CHECKING:
    from mlops_assets.monitoring.dashboard import Distribution, Retraining

MOST_FEATURES = 60
CHECKS = (NULLS, UNSEEN, BROKEN, VOLUMES, AGE)


@dataclass(frozen=True)
class Cell:
    """A feature in a window: `tone` names the colour, `text` says the same without colour."""

    tone: str
    text: str
    title: str


@dataclass(frozen=True)
class Gain:
    """An interval and its middle as percentages of a scale whose zero lies at 50, and the same in numbers."""

    low: float
    high: float
    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """Both shares of one bin, as percentages of the tallest bar."""

    label: str
    reference: float
    current: float
    title: str


def heat_map(windows: Sequence[str], drift: Mapping[str, Sequence[FeatureDrift]]) -> list[tuple[str, list[Cell]]]:
    """A row of cells per feature, the most severe feature first, at most 60."""
    found = {(one.feature, window): one for window in windows for one in drift.get(window, ())}
    worst: dict[str, tuple[bool, float]] = {}
    for (feature, _), one in found.items():
        worst[feature] = max(worst.get(feature, (False, 0.0)), (one.drifted, one.severity))
    ranked = sorted(worst, key=lambda feature: worst[feature], reverse=True)[:MOST_FEATURES]
    return [(feature, [_cell(found.get((feature, window)), window) for window in windows]) for feature in ranked]


def moved(row: tuple[str, list[Cell]]) -> bool:
    """Whether a row of the heat map has a cell that is more than stable."""
    return any(cell.tone in ("near", "drift", "severe") for cell in row[1])


def quality_map(windows: Sequence[str], found: Mapping[str, Sequence[Quality]]) -> list[tuple[str, list[Cell]]]:
    """A row of cells per check: whether it failed in a window, and the worst of its findings."""
    checks = [check for check in CHECKS if any(one.check == check for each in found.values() for one in each)]
    return [
        (
            check.replace("_", " "),
            [_quality_cell([one for one in found.get(window, ()) if one.check == check], window) for window in windows],
        )
        for check in checks
    ]


def gains(retrainings: Sequence["Retraining"]) -> dict[str, Gain]:
    """By version, the interval of its gain over the champion on a scale that all share; those without one are left
    out.
    """
    known = [one for one in retrainings if {"gain", "low", "high"} <= set(one.numbers)]
    widest = max((abs(one.numbers[end]) for one in known for end in ("low", "high")), default=0.0) or 1.0

    def at(value: float) -> float:
        return round(50 + 50 * value / widest, 2)

    return {
        one.version: Gain(
            at(one.numbers["low"]),
            at(one.numbers["high"]),
            at(one.numbers["gain"]),
            "{:+.4f} ({:+.4f} to {:+.4f})".format(*(one.numbers[name] for name in ("gain", "low", "high"))),
        )
        for one in known
    }


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
        for label, then, now in zip(distribution.labels, distribution.reference, distribution.current, strict=True)
    ]
    return distribution, bars


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


def _quality_cell(found: Sequence[Quality], window: str) -> Cell:
    failed = [one for one in found if one.failed]
    if failed:
        worst = max(failed, key=lambda one: abs(one.value - one.expected))
        text = percent(worst.value) if worst.check in (NULLS, UNSEEN, BROKEN) else number(worst.value)
        return Cell("severe", text, f"{window}: {'; '.join(one.sentence for one in failed)}")
    if not found:
        return Cell("none", "", f"{window}: not looked at")
    if all(one.verdict == "insufficient_data" for one in found):
        return Cell("unknown", "", f"{window}: nothing to compare with")
    return Cell("ok", "", f"{window}: as before")
