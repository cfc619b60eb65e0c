from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from mlops_assets.config import load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.quality import Arrived
from mlops_assets.steps.arrived import arrived

FLIGHTS = load_project(Path(__file__).parents[2] / "configs" / "flights")
PARTS = ["", "origin=EWR", "origin=JFK", "carrier=UA"]


def came(folder: Path, quarantine: pl.DataFrame) -> list[Arrived]:
    lake = Warehouse(folder)
    (documents,) = model_documents(FLIGHTS)
    assert documents.monitoring is not None
    times = [datetime(2013, 4, day, tzinfo=UTC) for day in (3, 4, 5)] + [datetime(2013, 6, 1, tzinfo=UTC)]
    silver = pl.DataFrame({"time_hour": times, "origin": ["EWR", "EWR", "JFK", "EWR"], "carrier": "UA"})
    delta.append(lake.table("flights", "silver", "flights"), silver, transactions={})
    delta.append(lake.table("flights", "silver", "flights_quarantine"), quarantine, transactions={})
    config = documents.monitoring.config.model_copy(update={"slices": ["origin", "carrier"]})
    return arrived(FLIGHTS, documents, config, lake, "2013-04", PARTS)


def test_rows_in_quarantine_are_of_the_window_that_their_text_says_until_they_are_replayed(tmp_path: Path) -> None:
    times = ["2013-04-03T05:00:00Z", "2013-04-04 05:00:00", "2013-05-01 05:00:00", "when it was", "2013-04-05"]
    held = pl.DataFrame({"time_hour": times, "origin": "EWR", "_replay": [None, None, None, None, 1]})
    found = [(one.part, one.rows, one.quarantined) for one in came(tmp_path, held)]
    assert found == [("", 5, 2), ("origin=EWR", 4, 2), ("origin=JFK", 1, 0)]


def test_a_quarantine_that_does_not_say_when_its_rows_were_gives_no_rate(tmp_path: Path) -> None:
    assert came(tmp_path, pl.DataFrame({"when": ["2013-04-03"], "origin": "EWR"})) == []
