import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from mlops_assets.config import load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.steps.retraining_rows import first_row

ROOT = Path(__file__).parents[2]
HOURS = pl.DataFrame({"time_hour": [datetime(2013, month, day, 12) for month in range(1, 7) for day in (1, 15)]})
ASKED = {"mlops/cause": "2013-05_v1", "mlops/window": "2013-05", "mlops/since": "2013-04"}


def taken(folder: Path, tags: dict[str, str], **retraining: Any) -> pl.DataFrame:
    shutil.copytree(ROOT / "configs" / "flights", folder / "flights", dirs_exist_ok=True)
    overrides = {"monitoring": {"retraining": retraining}}
    (folder / "flights" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    project = load_project(folder / "flights")
    (documents,) = model_documents(project)
    chosen = first_row(tags, project, documents, HOURS.lazy())
    return HOURS if chosen is None else HOURS.filter(chosen)


def test_all_rows_are_taken_where_the_document_says_so_or_nothing(tmp_path: Path) -> None:
    assert taken(tmp_path, ASKED).height == HOURS.height


def test_a_sliding_window_is_the_newest_rows(tmp_path: Path) -> None:
    found = taken(tmp_path, ASKED, rows="sliding", length="40d")["time_hour"]
    assert found.min() == datetime(2013, 5, 15, 12)


def test_since_drift_begins_with_the_alarms_first_window(tmp_path: Path) -> None:
    found = taken(tmp_path, ASKED, rows="since_drift")["time_hour"]
    assert found.min() == datetime(2013, 4, 1, 12)
    only_window = {name: value for name, value in ASKED.items() if name != "mlops/since"}
    assert taken(tmp_path, only_window, rows="since_drift")["time_hour"].min() == datetime(2013, 5, 1, 12)


@pytest.mark.parametrize("rows", ["sliding", "since_drift"])
def test_a_run_that_no_alarm_asked_for_takes_all(tmp_path: Path, rows: str) -> None:
    assert taken(tmp_path, {}, rows=rows, length="1d").height == HOURS.height
