"""Definitions of other projects beside the real one: jobs that hold their place until a file is there."""

import os
import time
from pathlib import Path

import dagster as dg

PLACES = {"a": "project_a", "b": "project_b", "c": "project_c", "d": "endpoint_shared", "e": "endpoint_shared"}
RELEASE = "RELEASE_FILE"


def holding(name: str, pool: str) -> dg.JobDefinition:
    """`hold_<name>`, a run in `pool`."""

    @dg.op(name=f"op_{name}", out=dg.Out(dg.Nothing), pool=pool)
    def hold() -> None:
        deadline = time.monotonic() + 600
        while not Path(os.environ[RELEASE]).exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    @dg.job(name=f"hold_{name}", executor_def=dg.in_process_executor)
    def job() -> None:
        hold()

    return job


defs = dg.Definitions(jobs=[holding(name, pool) for name, pool in PLACES.items()])
