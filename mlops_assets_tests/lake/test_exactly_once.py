"""Kills at any moment, writers at once, runs at once: no row is lost and none comes twice."""

import random
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.polars import POLARS, PolarsEngine
from mlops_assets.lake.refine import DataTables, Refined, refine

FIELDS: dict[str, Any] = {
    "destination_path": "main.shop.orders",
    "format": "csv",
    "columns": {"id": "int", "amount": "float", "day": "date"},
    "validation_rules": [{"name": "positive", "condition": "amount > 0"}],
    "max_error_fraction": 1,
}
MODES: dict[str, dict[str, Any]] = {
    "append": {},
    "merge": {"primary_keys": ["id"]},
    "scd2": {"primary_keys": ["id"], "write_mode": "scd2", "sequence_by": "day"},
}
REPLACING: dict[str, dict[str, Any]] = {
    "overwrite": {"write_mode": "overwrite"},
    "overwrite_partitions": {"write_mode": "overwrite_partitions", "partitioning_columns": ["day"]},
}
# Each run is a process of its own, made of one that has imported everything: a kill meets work, not imports.
runs = get_context("forkserver")
runs.set_forkserver_preload(["mlops_assets_tests.lake.test_exactly_once"])


class Small(PolarsEngine):
    """A few rows at once, so that files are cut into many stretches."""

    rows_at_once = 7


def write_source(folder: Path, files: int = 4, rows: int = 30) -> None:
    folder.mkdir()
    for number in range(files):
        lines = [f"{(number * 17 + row) % 60},{row - 3},2024-01-{number + 1:02}" for row in range(rows)]
        (folder / f"{number}.csv").write_text("id,amount,day\n" + "\n".join(lines) + "\n")


def tables(home: str) -> DataTables:
    return DataTables(*(f"{home}/{name}" for name in ("bronze", "silver", "quarantine")))


def load(home: str, mode: str, engine: Any = None) -> Refined:
    source = str(Path(home).parent / "source")
    config = DataConfig.model_validate({"source_path": source, **FIELDS, **(MODES | REPLACING)[mode]})
    engine = engine or Small()
    ingest(config, source, tables(home).bronze, engine)
    return refine(config, tables(home), Run("run"), {}, engine)


def contents(home: str) -> list[pl.DataFrame]:
    found = tables(home)
    frames = [delta.scan(path).collect() for path in (found.bronze, found.silver, found.quarantine)]
    plain = [frame.drop("_ingested_at", strict=False) for frame in frames]
    return [frame.select(sorted(frame.columns)).sort(pl.all(), nulls_last=True) for frame in plain]


def killed_and_run_again(folder: Path, mode: str, kills: int, seed: int) -> int:
    """Runs that are killed at random moments, each followed by one that is not; how many were killed in time."""
    write_source(folder / "source")
    for home in ("first", "undisturbed"):
        started = time.monotonic()
        load(str(folder / home), mode)
    took = time.monotonic() - started
    expected = contents(str(folder / "undisturbed"))
    moments, hit = random.Random(seed), 0
    for number in range(kills):
        home = str(folder / f"killed{number}")
        for _ in range(2):
            process = runs.Process(target=load, args=(home, mode))
            process.start()
            time.sleep(moments.uniform(0, took))
            process.kill()
            process.join()
            hit += process.exitcode != 0
            assert process.exitcode in (0, -signal.SIGKILL)
        load(home, mode)
        for name, found, wanted in zip(("bronze", "silver", "quarantine"), contents(home), expected, strict=True):
            assert found.equals(wanted), f"{name} after kill {number} of seed {seed}, {mode}"
    return hit


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_killed_at_random_moments_every_table_ends_as_without_a_kill(tmp_path: Path, mode: str) -> None:
    assert killed_and_run_again(tmp_path, mode, kills=4, seed=4) > 0


@pytest.mark.parametrize(
    ("commits", "mode"),
    [*product(range(1, 9), MODES), *product(range(1, 4), REPLACING)],
)
def test_stopped_before_any_commit_every_table_ends_as_without_a_stop(
    tmp_path: Path, mode: str, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "source", files=2, rows=20)
    load(str(tmp_path / "undisturbed"), mode)
    home, left = str(tmp_path / "stopped"), [commits]

    def counted(own: Any) -> Any:
        def write(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return own(*args, **more)

        return staticmethod(write)

    with monkeypatch.context() as stopped:
        for name in ("append", "merge", "overwrite"):
            stopped.setattr(Small, name, counted(getattr(POLARS, name)), raising=False)
        with pytest.raises(KeyboardInterrupt):
            load(home, mode)
    load(home, mode)
    for found, wanted in zip(contents(home), contents(str(tmp_path / "undisturbed")), strict=True):
        assert found.equals(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_four_runs_at_once_bring_each_row_once(tmp_path: Path, mode: str) -> None:
    write_source(tmp_path / "source")
    load(str(tmp_path / "undisturbed"), mode)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        done = [pool.submit(load, str(tmp_path / "shared"), mode) for _ in range(4)]
        read = sum(each.result().rows.read for each in done)
    for found, wanted in zip(contents(str(tmp_path / "shared")), contents(str(tmp_path / "undisturbed")), strict=True):
        assert found.equals(wanted)
    assert read == 120


@pytest.mark.parametrize("moment", range(1, 9))
def test_an_overtaken_run_reports_all_that_it_has_committed_itself(tmp_path: Path, moment: int) -> None:
    write_source(tmp_path / "source", files=2, rows=20)
    home, others, commits = str(tmp_path / "shared"), list[Refined](), [0]

    class Overtaken(Small):
        @staticmethod
        def append(path: str, *args: Any, **more: Any) -> Any:
            commits[0] += path != tables(home).bronze
            if commits[0] == moment and not others:
                others.append(load(home, "append"))
            return delta.append(path, *args, **more)

    mine = load(home, "append", Overtaken())
    assert others
    both = mine.rows + others[0].rows
    _, silver, quarantine = contents(home)
    assert (both.read, both.written, both.quarantined) == (40, silver.height, quarantine.height)
    assert mine.rows.balanced
    assert mine.outcomes


def append_some(path: str, writer: int) -> None:
    for number in range(10):
        rows = pl.DataFrame({"writer": [writer] * 5, "number": [number] * 5})
        delta.append(path, rows, transactions={f"writer {writer}": number})


@pytest.mark.slow
def test_four_writers_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(append_some, [path] * 4, range(4)))
    counted = delta.scan(path).group_by("writer", "number").len().collect()
    assert counted.height == 40
    assert counted["len"].unique().to_list() == [5]


def test_a_file_larger_than_a_stretch_is_refined_in_parts_with_the_same_figures(tmp_path: Path) -> None:
    write_source(tmp_path / "source", files=1, rows=40)
    done = load(str(tmp_path / "home"), "append")
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (40, 36, 4)
    assert [outcome.failed_rows for outcome in done.outcomes] == [4]
    assert delta.version(str(tmp_path / "home" / "silver")) == 5


@pytest.mark.parametrize("mode", REPLACING)
def test_rows_that_replace_others_do_so_in_one_commit_however_many_they_are(tmp_path: Path, mode: str) -> None:
    write_source(tmp_path / "source", files=3, rows=30)
    done = load(str(tmp_path / "home"), mode)
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (90, 78, 12)
    _, silver, quarantine = contents(str(tmp_path / "home"))
    assert (silver.height, quarantine.height) == (78, 12)
    assert [delta.version(getattr(tables(str(tmp_path / "home")), name)) for name in ("silver", "quarantine")] == [0, 0]
