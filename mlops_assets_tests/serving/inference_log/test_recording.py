import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.serving.inference_log.recording import InferenceLog
from mlops_assets.serving.inference_log.spool import Spool
from mlops_assets_tests.serving.inference_log.requests import ONE, ONE_MORE, through_a_gateway


def test_what_a_full_disk_refuses_of_the_requests_of_a_moment_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "append", only_the_first_line)
    log = InferenceLog(tmp_path / "spool")
    for each in (ONE, ONE_MORE, ONE_MORE):
        log.append(str(tmp_path / "log"), each.request, each.body, each.answer)
    log.close()

    assert log.lost == 2
    assert pl.read_delta(str(tmp_path / "log"))["request_id"].to_list() == ["r1"]


def only_the_first_line(spool: Spool, lines: bytes) -> None:
    spool.end = lines.index(b"\n") + 40
    (spool.folder / f"{0:020}.tsv").write_bytes(lines[: spool.end])
    raise OSError(28, "No space left on device")


def test_requests_in_the_memory_of_a_gateway_that_is_killed_are_counted(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from mlops_assets.serving.inference_log import recording
recording.BUFFER_SECONDS = 60
spool, table = sys.argv[1:]
log = recording.InferenceLog(Path(spool))
request = recording.LoggedRequest("r", 0, "churn", "3", "churn-3", 1.5, 200)
body, answer = b'{"instances": [{"a": 1}]}', b'{"predictions": [{"prediction": 1}]}'
for number in range(5):
    log.append(table, request, body, answer)
    if number == 1:
        log._spool()
while not Path(spool, "writer.lock").exists():
    time.sleep(0.02)
os.kill(os.getpid(), 9)
"""
    places = [str(tmp_path / "spool"), str(tmp_path / "log")]

    ended = subprocess.run([sys.executable, "-c", program, *places], capture_output=True, text=True, check=False)

    assert ended.returncode == -9
    assert "lost: 3 requests, which were in the memory of a gateway that was killed" in ended.stderr
    assert pl.read_delta(str(tmp_path / "log")).height == 2


def test_a_table_that_cannot_be_written_keeps_its_requests_for_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("not a table")
    log = InferenceLog(tmp_path / "spool")
    log.start()
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    log.close()
    assert len(list((tmp_path / "spool").rglob("*.tsv"))) == 1

    (tmp_path / "log").unlink()

    assert through_a_gateway(tmp_path).height == 1


def test_the_log_keeps_the_gateways_process_light(tmp_path: Path) -> None:
    program = (
        "import sys; from mlops_assets.serving.gateway.application import application;"
        "print([name for name in ('pandas', 'polars', 'deltalake', 'pyarrow', 'sklearn') if name in sys.modules])"
    )

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "[]"
