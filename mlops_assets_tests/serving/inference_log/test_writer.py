import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from mlops_assets.serving.inference_log.recording import InferenceLog
from mlops_assets.serving.inference_log.rows import table_rows
from mlops_assets.serving.inference_log.spool import Spool, Spooled
from mlops_assets.serving.inference_log.writer import write
from mlops_assets_tests.serving.conftest import kill, wait_until
from mlops_assets_tests.serving.inference_log.requests import ONE, spooled, through_a_gateway


def test_what_was_committed_and_not_deleted_is_not_committed_again(tmp_path: Path) -> None:
    left = spooled(tmp_path, ONE)
    assert write(left) == (left.end(), 1)

    assert through_a_gateway(tmp_path).height == 1


def test_what_arrives_while_the_table_is_written_waits_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool.begun(tmp_path / "spool", "busy", str(tmp_path / "log"))
    spool.append(ONE.line())

    def while_another_arrives(lines: bytes, hash_key: bytes) -> pl.DataFrame:
        spool.append(ONE.line())
        return table_rows(lines, hash_key)

    monkeypatch.setattr("mlops_assets.serving.inference_log.writer.table_rows", while_another_arrives)
    left = Spooled(spool.folder)

    assert [write(left)[1] for _ in range(3)] == [1, 1, 1]


def writers_of(folder: Path) -> list[int]:
    """This process's writers of the logs below `folder`."""
    found = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [each.pid for each in found if str(folder / "spool") in each.cmdline()]


def test_a_writer_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.inference_log.recording.RESTART_SECONDS", 0)
    log = InferenceLog(tmp_path / "spool")
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    wait_until(lambda: len(writers_of(tmp_path)) == 1)
    (first,) = writers_of(tmp_path)
    kill(first)

    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    wait_until(lambda: (tmp_path / "log" / "_delta_log").exists())
    assert first not in writers_of(tmp_path)
    time.sleep(0.5)  # what is in the table is deleted from the spool now, and the gateway writes on
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    log.close()

    assert pl.read_delta(str(tmp_path / "log")).height == 3
