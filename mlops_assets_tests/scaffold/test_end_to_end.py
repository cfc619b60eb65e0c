"""From a data file to an answer of the endpoint, by the command line only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mlops_assets.serving.gateway_process import address, stop
from mlops_assets_tests.scaffold.test_project import real


@pytest.mark.slow
def test_a_real_file_becomes_a_model_that_answers_over_http(tmp_path: Path, home: Path) -> None:
    here = {**os.environ, "MLOPS_CONFIGS": str(tmp_path / "configs"), "DAGSTER_HOME": str(tmp_path)}

    def run(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=here, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    try:
        run("mlops_assets", "init", "aircraft", "--from", str(real("planes.csv")), "--target", "engines")
        run("mlops_assets", "check")
        run("dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", "aircraft_pipeline")
        plane = {"year": 2004, "type": "Fixed wing multi engine", "manufacturer": "EMBRAER", "model": "EMB-145XR"}
        record = {**plane, "seats": 55, "speed": None, "engine": "Turbo-fan"}
        gateway = address(home)
        assert gateway is not None
        answer = httpx.post(
            f"{gateway.url}/serving-endpoints/aircraft/invocations",
            content=json.dumps({"dataframe_records": [record]}),
            headers={"Authorization": f"Bearer {gateway.token_file.read_text().strip()}"},
            trust_env=False,
        )
        assert answer.json()["predictions"][0]["prediction"] == 2
    finally:
        stop(home)
