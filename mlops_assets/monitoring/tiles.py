"""The numbers at the head of the dashboard: what a reader asks first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.monitoring.charts import metric_value, number, percent
from mlops_assets.monitoring.directions import higher_is_better
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance
from mlops_assets.monitoring.verdict import FeatureDrift


@dataclass(frozen=True)
class Tile:
    """A number at the head of the page with what it means; `tone` is plain, good or bad."""

    name: str
    value: str
    note: str
    tone: str = "plain"


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
        window for window in windows if (one := metric_value(champion.get(window), metric)) and one.value is not None
    ]
    if measured:
        shown += _performance_tiles(measured[-1], champion[measured[-1]], baseline.get(measured[-1]), metric)
    judged = [window for window in windows if any(one.verdict != "insufficient_data" for one in drift.get(window, ()))]
    if judged:
        features = drift[judged[-1]]
        drifted = sum(one.drifted for one in features)
        unjudged = sum(one.verdict == "insufficient_data" for one in features)
        note = f"in {judged[-1]}" + (f"; {unjudged} not judged" if unjudged else "")
        shown.append(Tile("Features drifted", f"{drifted} of {len(features)}", note, "bad" if drifted else "good"))
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
    value = metric_value(performance, metric)
    assert value is not None
    assert value.value is not None
    between = "" if value.lower is None else f", 95 % in {number(value.lower)} – {number(value.upper)}"
    shown = [Tile(metric, number(value.value), f"version {performance.version}, {window}{between}")]
    other = metric_value(baseline, metric)
    if other is not None and other.value is not None:
        gain = value.value - other.value
        better = gain >= 0 if higher_is_better(metric) else gain <= 0
        tone = "plain" if _within_chance(gain, value) else "good" if better else "bad"
        shown_gain = f"{gain:+.3f}".replace("-", "−") if abs(gain) < 1 else f"{'+' if gain > 0 else ''}{number(gain)}"
        note = f"{number(other.value)} had it never been retrained"
        shown.append(Tile("Against the baseline", shown_gain, note, tone))
    return shown


def _within_chance(gain: float, value: MetricValue) -> bool:
    """Whether the interval of the value itself is wider than the gain."""
    return value.lower is not None and value.upper is not None and 2 * abs(gain) < value.upper - value.lower
