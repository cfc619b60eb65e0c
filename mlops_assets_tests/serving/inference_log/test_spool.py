import os
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.serving.inference_log.spool import Spool, Spooled
from mlops_assets.serving.inference_log.writer import write
from mlops_assets_tests.serving.inference_log.requests import ONE, spooled, through_a_gateway


def test_a_full_disk_tears_one_line_and_the_next_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.begun(tmp_path / "spool", "running", str(tmp_path / "log"))
    real, full = os.write, iter([True, False])

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < len(ONE.line()):
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:40] if next(full, False) else data)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        spool.append(ONE.line())
    spool.append(ONE.line())
    monkeypatch.undo()

    assert write(Spooled(spool.folder)) == (40 + len(ONE.line()), 1)
    assert pl.read_delta(str(tmp_path / "log")).height == 1


def test_a_spool_of_many_segments_is_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.inference_log.spool.SEGMENT_BYTES", 2 * len(ONE.line()))
    spool = Spool.begun(tmp_path / "spool", "running", str(tmp_path / "log"))
    for _ in range(3):
        spool.append(ONE.line())
    left = Spooled(spool.folder)
    left.forget(write(left)[0], ended=False)
    assert [path.name for path in spool.folder.glob("*.tsv")] == [f"{2 * len(ONE.line()):020d}.tsv"]
    spool.append(ONE.line())

    write(left)

    assert pl.read_delta(str(tmp_path / "log")).height == 4


def test_a_line_torn_by_a_crash_is_left_out_and_the_others_are_kept_and_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    left = spooled(tmp_path, ONE)
    with next(left.folder.glob("*.tsv")).open("ab") as file:
        file.write(ONE.line()[:40])

    assert through_a_gateway(tmp_path, ONE).height == 2
    assert (
        f"1 requests that an earlier gateway had left are in {tmp_path / 'log'} now; lost: 1" in capfd.readouterr().err
    )
