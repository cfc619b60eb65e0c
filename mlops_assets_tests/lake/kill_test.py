"""`make kill-test`: the pipeline killed at random moments, as often as is asked for, and run again each time."""

import sys
import tempfile
import time
from pathlib import Path

from mlops_assets_tests.lake.test_exactly_once import MODES, killed_and_run_again


def main(kills: int, seed: int) -> None:
    """`kills` cases, a share of them in each write mode; raises where a table is not that of an undisturbed run."""
    share, started = -(-kills // len(MODES)), time.monotonic()
    for mode in MODES:
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "x").mkdir()
            in_time = killed_and_run_again(Path(place) / "x", mode, share, seed)
        print(f"{mode}: {share} times killed twice ({in_time} of {2 * share} before the end), all tables equal")
    print(f"seed {seed}: {time.monotonic() - started:.0f} seconds")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
