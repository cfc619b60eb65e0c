"""Both engines on the flights project's own documents: equal tables, and each goes on where the other stopped."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlops_assets.config import Project, load_project
from mlops_assets.config.crosschecks.rule_types import rule_tables
from mlops_assets.config.platform import SparkConfig
from mlops_assets.features.refresh import Refreshed, refresh
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import Refined, refine
from mlops_assets.lake.spark.engine import SparkEngine
from mlops_assets.samples import land
from mlops_assets.steps.tables import locate, locate_all, path_of, tables_of
from mlops_assets_tests.flights import CONFIGS
from mlops_assets_tests.spark_session import COMPILED, delta_session

pytestmark = [pytest.mark.spark, pytest.mark.slow]
TABLES = ("airlines", "airports", "planes", "weather", "flights")
ARRIVED = "_ingested_at"
ROWS = 3_000


@dataclass
class Land:
    """The flights project's tables below a folder; either engine may bring in what is new."""

    home: Path
    project: Project

    def arrive(self, month: str) -> None:
        for document in self.project.data:
            assert document.config.sample
            dataset = document.config.sample.dataset
            for file in land(dataset, Warehouse(self.home).source(document.config.source_path), month):
                lines = file.read_text().splitlines(keepends=True)
                file.write_text(
                    "".join(lines[: ROWS + 1]) if document.name in ("flights", "weather") else "".join(lines)
                )

    def load(self, engine: Engine[Any]) -> dict[str, Refined | Refreshed]:
        lake = Warehouse(self.home, engine)
        done: dict[str, Refined | Refreshed] = {}
        for name in TABLES:
            document = next(each for each in self.project.data if each.name == name)
            config, tables = document.config, tables_of(lake, self.project, name)
            ingest(config, lake.source(config.source_path), tables.bronze, engine)
            others = {
                other: engine.scan(path_of(self.project, ref, lake))
                for other, ref in rule_tables(self.project, document).items()
            }
            done[name] = refine(config, tables, Run("run", as_of=AS_OF), others, engine)
        features = self.project.features[0]
        done["features"] = refresh(
            features.config,
            source=locate(self.project, features.config.source_table, lake),
            joined=locate_all(self.project, [join.table for join in features.config.joins], lake),
            table=self.path("gold", features.name),
            engine=engine,
        )
        return done

    def path(self, layer: str, table: str) -> str:
        return Warehouse(self.home).table(self.project.name, layer, table)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table, without the time of its rows' arrival and in an order of its own."""
        found = {f"silver/{name}": self.path("silver", name) for name in TABLES}
        found |= {f"bronze/{name}": self.path("bronze", name) for name in TABLES}
        found |= {f"quarantine/{name}": self.path("silver", f"{name}_quarantine") for name in TABLES}
        found["gold"] = self.path("gold", self.project.features[0].name)
        return {name: _comparable(delta.scan(path).collect()) for name, path in found.items()}


AS_OF = pl.datetime(2026, 1, 1, time_zone="UTC").pipe(pl.select).item()


def _comparable(frame: pl.DataFrame) -> pl.DataFrame:
    plain = frame.drop(ARRIVED, strict=False)
    return plain.sort([name for name, dtype in plain.schema.items() if not dtype.is_nested()], nulls_last=False)


def _land(home: Path) -> Land:
    made = Land(home, load_project(CONFIGS / "flights"))
    made.arrive("2013-01")
    return made


@pytest.fixture(scope="module")
def spark_engine() -> Engine[Any]:
    return SparkEngine(SparkConfig(), lambda _: delta_session(COMPILED))


@pytest.fixture(scope="module")
def each(tmp_path_factory: pytest.TempPathFactory, spark_engine: Engine[Any]) -> tuple[Land, Land, dict[str, Any]]:
    """The first month on either engine, and what each says that it did."""
    one, two = (_land(tmp_path_factory.mktemp(name)) for name in ("polars", "spark"))
    done = {}
    for name, place, engine in (("polars", one, POLARS), ("spark", two, spark_engine)):
        start = time.perf_counter()
        done[name] = place.load(engine)
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    return one, two, done


def _equal(one: Land, two: Land) -> None:
    ours, theirs = one.tables(), two.tables()
    for name, frame in ours.items():
        assert frame.schema == theirs[name].schema, name
        assert_frame_equal(frame, theirs[name], check_exact=True)
    assert {name: frame.height for name, frame in ours.items()}["silver/flights"] > 2_900


def test_both_engines_make_equal_tables_of_the_flights_documents(each: tuple[Land, Land, dict[str, Any]]) -> None:
    one, two, done = each
    _equal(one, two)
    for name in TABLES:
        ours, theirs = done["polars"][name], done["spark"][name]
        assert ours.rows == theirs.rows
        assert [_figures(o) for o in ours.outcomes] == [_figures(o) for o in theirs.outcomes]
    assert done["polars"]["features"] == done["spark"]["features"]


def _figures(outcome: Any) -> tuple[Any, ...]:
    return (outcome.rule.name, outcome.rows, outcome.failed_rows, outcome.unknown_rows, outcome.passed)


def test_each_engine_goes_on_with_the_tables_that_the_other_wrote(
    each: tuple[Land, Land, dict[str, Any]], spark_engine: Engine[Any]
) -> None:
    one, two, _ = each
    for place in (one, two):
        place.arrive("2013-02")
    done = {"spark": one.load(spark_engine), "polars": two.load(POLARS)}
    _equal(one, two)
    for name in TABLES:
        assert done["spark"][name].rows == done["polars"][name].rows
    assert done["spark"]["features"].inserted == done["polars"]["features"].inserted > 2_900
    again = one.load(POLARS)
    assert all(done.rows.read == 0 for done in again.values() if isinstance(done, Refined))
