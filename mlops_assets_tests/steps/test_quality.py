from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.quality import read_quality
from mlops_assets.monitoring.watch import watch
from mlops_assets.monitoring.windows import Clock
from mlops_assets.steps import quality
from mlops_assets.steps.monitoring_tables import drift_tables, quality_table

FLIGHTS = Path(__file__).parents[2] / "configs" / "flights"


def rows(count: int, window: str = "") -> pl.DataFrame:
    random = np.random.default_rng(count)
    return pl.DataFrame(
        {"x": random.normal(size=count), "prediction": random.random(count), "window": [window] * count}
    )


def test_a_thin_day_is_told_while_the_next_one_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, lake = load_project(FLIGHTS), Warehouse(tmp_path)
    (documents,) = model_documents(project)
    assert documents.monitoring is not None
    config = documents.monitoring.config.model_copy(update={"window": "day", "min_sample": 50})
    time = documents.features.config.timestamp_column
    newest = pl.DataFrame({time: [datetime(2024, 1, 4, tzinfo=UTC)]})
    delta.append(lake.table("flights", "gold", documents.predictions), newest, transactions={})
    for day, count in enumerate((900, 900, 100, 60), 1):
        now = Clock(project.timezone, datetime(2024, 1, day, 18, tzinfo=UTC))
        monkeypatch.setattr(quality, "clock", lambda _, now=now: now)
        watch(
            drift_tables(project, lake),
            rows(count, f"2024-01-0{day}"),
            day,
            after=day - 1 or None,
            version="1",
            features=["x"],
            training=lambda: rows(5000),
            config=config,
            clock=now,
        )
        quality.judge_new_windows(project, documents, config, lake, "1")
    found = read_quality(quality_table(project, lake), "1", "day", now)
    sentences = [one.sentence for one in found["2024-01-03"] if one.failed]
    assert sentences == ["volume: 100 rows, usually 900"]
