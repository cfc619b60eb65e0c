from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.config import load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.monitored_rows import labelled_rows


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_a_label_that_is_not_a_number_has_not_arrived(tmp_path: Path, layer: str) -> None:
    """It is a column of the source, or of the feature table alone, as one that is joined or summed up."""
    project, lake = load_project(Path(__file__).parents[2] / "configs" / "flights"), Warehouse(tmp_path)
    (documents,) = model_documents(project)
    assert documents.monitoring is not None
    keys = pl.DataFrame({"time_hour": [datetime(2013, 4, 1, tzinfo=UTC)] * 3, "carrier": "UA", "flight": [1, 2, 3]})
    tables = {
        ("gold", "predictions"): keys.with_columns(version=pl.lit("1"), prediction=1.0, probability=0.9),
        ("gold", documents.features.name): keys.with_columns(distance=100.0),
        ("silver", "flights"): keys,
    }
    if layer == "silver":
        tables["silver", "flights"] = keys.with_columns(late=pl.Series([1.0, float("nan"), None]))
    else:
        own = ("gold", documents.features.name)
        tables[own] = tables[own].with_columns(late=pl.Series([1.0, None, None]))
    for (layer, name), rows in tables.items():
        delta.append(lake.table("flights", layer, name), rows, transactions={})
    performance = lake.table("flights", "monitoring", "performance")
    found, _ = labelled_rows(project, documents, documents.monitoring.config, lake, performance)
    assert found["late"].to_list() == [1.0, None, None]
