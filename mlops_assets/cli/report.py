"""The demo's report, read from the tables and the registry: one line per month, and what to open next."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from rich.console import Console
from rich.table import Table

from mlops_assets.config import Project, home
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.resources.platforms import embedded_registry

COLUMNS = ("month", "rows in", "bad", "late", "AUC", "AUC v1", "drift", "the loop: gain [95 %]", "now")


CAPTION = (
    "bad: rows in quarantine. late: share of flights more than 15 minutes late. "
    "AUC: of the champion, as labels arrived; AUC v1: of the first model on the same flights, never retrained. "
    "drift: features whose distribution left that of the champion's training rows. "
    "A challenger is promoted where the 95 % interval of its gain in AUC over the champion, on later flights that "
    "neither has seen, lies above 0. now: the champion after the month."
)


@dataclass(frozen=True)
class Month:
    """One line of the report."""

    month: str
    rows: int
    quarantined: int
    late: float | None
    auc: float | None
    first_auc: float | None
    drift: str
    loop: str
    champion: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as text."""
        late = "" if self.late is None else f"{self.late:.2f}"
        return (
            self.month,
            f"{self.rows:,}",
            str(self.quarantined),
            late,
            _number(self.auc),
            _number(self.first_auc),
            self.drift,
            self.loop,
            self.champion,
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def print_report(console: Console, project: Project, *, seconds: float) -> None:
    """Print the table, the gain of the loop, and the next two things to open."""
    warehouse = Warehouse(home())
    months = read_months(project, warehouse, embedded_registry())
    table = Table(title=f"{project.name}: 2013, month by month", caption=CAPTION, caption_justify="left")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column in COLUMNS[1:6] else "left")
    for month in months:
        table.add_row(*month.cells)
    console.print(table)
    console.print(gain(months))
    dashboard = home() / "warehouse" / project.name / "monitoring" / "dashboard.html"
    console.print(
        f"\nDone in {seconds:.0f} s. Open next:\n"
        f"  make ui   the asset graph, every run and check; MLflow; the gateway\n"
        f"  {dashboard}"
    )


def gain(months: Sequence[Month]) -> str:
    """What retraining was worth from May on, in a sentence."""
    both = [(month.auc, month.first_auc) for month in months if month.month >= "2013-05"]
    known = [(one, other) for one, other in both if one is not None and other is not None]
    if not known:
        return "No month has been scored by both the champion and the first model."
    champion, first = (sum(values) / len(known) for values in zip(*known, strict=True))
    return f"May to December: AUC {champion:.4f} with the loop, {first:.4f} never retrained, {champion - first:+.4f}."


def read_months(project: Project, warehouse: Warehouse, registry: ModelRegistry) -> list[Month]:
    """The months that have arrived, oldest first."""
    documents = model_documents(project)[0]
    table = warehouse.table
    rows = _by_file(table(project.name, "bronze", "flights"))
    bad = _by_file(table(project.name, "silver", "flights_quarantine"))
    for month, count in _by_file(table(project.name, "silver", "weather_quarantine")).items():
        bad[month] = bad.get(month, 0) + count
    late = _late(table(project.name, "silver", "flights"))
    auc = _auc(table(project.name, "monitoring", "performance"))
    drift = _drift(table(project.name, "monitoring", "drift"))
    versions = registry.versions(documents.model)
    return [
        Month(
            month,
            rows[month],
            bad.get(month, 0),
            late.get(month),
            auc.get((month, "champion")),
            auc.get((month, "baseline")),
            drift.get(month, ""),
            _loop(month, versions),
            _champion(month, versions),
        )
        for month in sorted(rows)
    ]


def _by_file(path: str) -> dict[str, int]:
    """Rows by the month in the name of the file they came from (`flights-2013-04.csv`)."""
    month = pl.col("_source_file").str.extract(r"(\d{4}-\d{2})")
    counted = delta.scan(path).group_by(month.alias("month")).len().collect()
    return {month: count for month, count in counted.iter_rows() if month}


def _late(path: str) -> dict[str, float]:
    month = pl.format("2013-{}", pl.col("month").cast(pl.String).str.zfill(2))
    return dict(delta.scan(path).group_by(month.alias("name")).agg(pl.col("late").mean()).collect().iter_rows())


def _auc(path: str) -> dict[tuple[str, str], float]:
    if not delta.exists(path):
        return {}
    found = delta.scan(path).filter((pl.col("metric") == "roc_auc") & pl.col("value").is_not_null()).collect()
    return {(row["window"], row["role"]): row["value"] for row in found.sort("rows").iter_rows(named=True)}


def _drift(path: str) -> dict[str, str]:
    """The verdict of each month, and its two features with the largest effect."""
    if not delta.exists(path):
        return {}
    found = delta.scan(path).sort("effect", descending=True).collect()
    return {str(month): _verdict(part) for (month,), part in found.group_by("window", maintain_order=True)}


def _verdict(features: pl.DataFrame) -> str:
    drifted = features.filter(pl.col("verdict").is_in(["drift", "severe"]))
    if drifted.is_empty():
        return "insufficient data" if (features["verdict"] == "insufficient_data").all() else "ok"
    worst = "severe" if (drifted["verdict"] == "severe").any() else "drift"
    return f"{worst}: {', '.join(drifted['feature'].head(2))}" + (
        f" +{drifted.height - 2}" if drifted.height > 2 else ""
    )


def _loop(month: str, versions: Sequence[ModelVersion]) -> str:
    """What the loop did at the end of a month, and the gain that decided with its interval."""
    return "; ".join(_outcome(version) for version in versions if version.window == month)


def _outcome(version: ModelVersion) -> str:
    numbers = version.numbers
    verdict = f"v{version.version} {'promoted' if version.passed else 'refused'}"
    if "low" not in numbers:
        return f"{verdict}: {version.decision}"
    return f"{verdict} {numbers['gain']:+.4f} [{numbers['low']:+.4f}, {numbers['high']:+.4f}]"


def _champion(month: str, versions: Sequence[ModelVersion]) -> str:
    """The version that was champion after a month."""
    promoted = [version for version in versions if version.promoted and version.window <= month]
    return f"v{promoted[-1].version}" if promoted else ""
