"""The monitor's numbers as a dashboard of Databricks (AI/BI, Lakeview): what a `.lvdash.json` file holds.

Its datasets are queries of the monitor's own tables in the SQL that Databricks and Spark share, and every widget shows
one of them. What the page of the embedded platform holds besides is not here: distributions, versions, retrainings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.unity_tables import identifier

WIDTH = 6  # columns of a page's grid
LINES, CELLS = 6, 8  # rows of the grid that a chart and a heat map take
AXES = {"window": "categorical", "feature": "categorical", "series": "categorical", "check": "categorical"}

# A window that several champions scored counts with the newest one's verdicts.
NEWEST = """SELECT * FROM (
  SELECT *, MAX(CAST(`version` AS BIGINT)) OVER (PARTITION BY `window`) AS `newest` FROM {table}
) WHERE CAST(`version` AS BIGINT) = `newest`"""
DRIFT = f"""SELECT `window`, `feature`, `verdict`, `effect`, `limit`, `p_adjusted`, `psi_debiased`, `rows`,
  CASE WHEN `limit` > 0 THEN `effect` / `limit` ELSE NULL END AS `severity`
FROM ({NEWEST}) ORDER BY `window`, `feature`"""
VOLUME = """SELECT `window`, `version` AS `series`, MAX(`rows`) AS `predictions`, MAX(`labelled`) AS `labelled`
FROM {table} WHERE `role` = 'champion' GROUP BY `window`, `version` ORDER BY `window`"""
PERFORMANCE = """SELECT `window`, `metric`, CONCAT_WS(' ', `role`, `metric`, `end`) AS `series`, `measured`
FROM {table} LATERAL VIEW STACK(3, CAST(NULL AS STRING), `value`, 'from', `lower`, 'to', `upper`) AS `end`, `measured`
WHERE `measured` IS NOT NULL ORDER BY `window`"""
QUALITY = f"""SELECT `window`, `check`, MAX(CASE WHEN `verdict` = 'failed' THEN 1 ELSE 0 END) AS `failed`
FROM ({NEWEST}) GROUP BY `window`, `check` ORDER BY `window`"""
ALERTS = """SELECT `raised_at`, `kind`, `window`, `version`, `monitor`, `severity`,
  CONCAT_WS('; ', `reasons`) AS `reasons`, `channel`, `state`, `error`
FROM {table} ORDER BY `raised_at` DESC"""


@dataclass(frozen=True)
class _Chart:
    """A widget over a dataset: a kind of Lakeview's with its version, the columns by what they encode."""

    title: str
    dataset: str
    kind: str
    encodings: Mapping[str, str]
    height: int = LINES
    version: int = 3


CHARTS = {
    "drift": [
        _Chart(
            "Effect of drift in units of its limit",
            "drift",
            "heatmap",
            {"x": "window", "y": "feature", "color": "severity"},
            CELLS,
        ),
        _Chart("Debiased PSI by feature", "drift", "line", {"x": "window", "y": "psi_debiased", "color": "feature"}),
    ],
    "performance": [
        _Chart(
            "Metrics with their 95 % interval",
            "performance",
            "line",
            {"x": "window", "y": "measured", "color": "series"},
        ),
        _Chart("Predictions by window", "volume", "bar", {"x": "window", "y": "predictions", "color": "series"}),
    ],
    "quality": [
        _Chart(
            "Failed looks at the data", "quality", "heatmap", {"x": "window", "y": "check", "color": "failed"}, LINES
        )
    ],
}
QUERIES = {
    "drift": {"drift": DRIFT},
    "performance": {"performance": PERFORMANCE, "volume": VOLUME},
    "quality": {"quality": QUALITY},
    "alerts": {"alerts": ALERTS},
}
ALERT_COLUMNS = ("raised_at", "kind", "window", "version", "monitor", "severity", "reasons", "channel", "state")


def definition(title: str, tables: Mapping[str, str]) -> dict[str, Any]:
    """The dashboard over the tables of the monitor that are there (drift, performance, quality, alerts), each by the
    name that SQL has for it.
    """
    datasets = [
        {"name": name, "displayName": name, "queryLines": _lines(query.format(table=identifier(tables[subject])))}
        for subject, queries in QUERIES.items()
        if subject in tables
        for name, query in queries.items()
    ]
    widgets = [_text(title), *(_widget(chart) for subject in tables for chart in CHARTS.get(subject, []))]
    if "alerts" in tables:
        widgets.append(_alerts())
    page = {"name": "monitor", "displayName": title, "pageType": "PAGE_TYPE_CANVAS", "layout": list(_stacked(widgets))}
    return {"datasets": datasets, "pages": [page]}


def _stacked(widgets: Sequence[tuple[dict[str, Any], int]]) -> Iterator[dict[str, Any]]:
    """One below the other, over the page's whole width."""
    top = 0
    for widget, height in widgets:
        yield {"widget": widget, "position": {"x": 0, "y": top, "width": WIDTH, "height": height}}
        top += height


def _text(title: str) -> tuple[dict[str, Any], int]:
    return {"name": "title", "multilineTextboxSpec": {"lines": [f"## {title}"]}}, 1


def _widget(chart: _Chart) -> tuple[dict[str, Any], int]:
    encodings = {
        shown: {
            "fieldName": column,
            "displayName": column.replace("_", " "),
            "scale": {"type": AXES.get(column, "quantitative")},
        }
        for shown, column in chart.encodings.items()
    }
    return _over(chart.dataset, chart.title, chart.kind, chart.version, list(chart.encodings.values()), encodings), (
        chart.height
    )


def _alerts() -> tuple[dict[str, Any], int]:
    columns = [{"fieldName": name, "displayName": name.replace("_", " ")} for name in ALERT_COLUMNS]
    return _over("alerts", "Alerts", "table", 2, list(ALERT_COLUMNS), {"columns": columns}), LINES


def _over(
    dataset: str, title: str, kind: str, version: int, columns: Sequence[str], encodings: Mapping[str, Any]
) -> dict[str, Any]:
    fields = [{"name": name, "expression": f"`{name}`"} for name in columns]
    query = {"datasetName": dataset, "fields": fields, "disaggregated": True}
    return {
        "name": f"{dataset}_{kind}",
        "queries": [{"name": "main_query", "query": query}],
        "spec": {
            "version": version,
            "widgetType": kind,
            "encodings": dict(encodings),
            "frame": {"showTitle": True, "title": title},
        },
    }


def _lines(query: str) -> list[str]:
    return query.splitlines(keepends=True)
