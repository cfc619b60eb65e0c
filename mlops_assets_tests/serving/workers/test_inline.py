"""A proven linear plan answers in the gateway's own process; what it does not answer, the worker does."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.plan.pipeline import MOST_NUMBERS, LinearPlan
from mlops_assets.serving.plan.proof import made_rows, with_proven_plan
from mlops_assets.serving.workers.inline import MOST_BYTES, Inline
from mlops_assets_tests.serving.conftest import invoke, token_of, workers_of

Deploy = Callable[..., EndpointSpec]
ROW = {"tenure": 3, "charges": 41.5, "contract": "monthly"}


@pytest.fixture
def linear(
    shared: GatewayAddress, deploy: Deploy, linear_path: Path, tmp_path: Path
) -> Iterator[tuple[GatewayEndpoints, list[int]]]:
    """The endpoint `linear` with an inference table, and the processes of its worker."""
    before = set(workers_of(shared.pid))
    with GatewayEndpoints(shared.url, token_of(shared)) as endpoints:
        endpoints.apply(deploy(name="linear", model_path=str(linear_path), inference_table=str(tmp_path / "log")))
        endpoints.wait_ready("linear", 60)
        yield endpoints, [each for each in workers_of(shared.pid) if each not in before]
        endpoints.delete("linear")


def test_a_plan_answers_as_its_worker_to_the_bit_after_its_way_through_json(linear_path: Path) -> None:
    model = with_proven_plan(load_served_model(linear_path))
    assert isinstance(model.plan, LinearPlan)
    inline = Inline(model.plan.model_dump_json())
    names = [column.name for column in model.columns]
    rows = [dict(zip(names, row, strict=True)) for row in made_rows(model, 0.0)]
    plain = load_served_model(linear_path)

    told = [inline._plan.predict(names, [list(row.values())]) for row in rows[:200]]

    assert repr(told) == repr([plain.answer(names, [list(row.values())]) for row in rows[:200]])


def test_what_is_not_plain_or_large_is_left_to_the_worker(linear_path: Path) -> None:
    model = with_proven_plan(load_served_model(linear_path))
    assert isinstance(model.plan, LinearPlan)
    inline = Inline(model.plan.model_dump_json())
    plain = b'{"dataframe_records": [{"tenure": 3, "charges": 1.5, "contract": null, "signed": null}]}'

    assert (found := inline.answer(plain)) is not None
    assert (found.status, found.rows) == (200, 1)
    assert inline.answer(plain.replace(b"1.5", b'"1.5"')) is None
    assert inline.answer(plain.replace(b"null}", b"NaN}")) is None
    assert inline.answer(b"[]") is None
    assert inline.answer(plain + b" " * MOST_BYTES) is None
    outputs = [[0.0]] * (MOST_NUMBERS + 1)
    lookup = {"name": "contract", "known": [None], "outputs": outputs}
    blocks = [{"source": {"kind": "texts", "columns": [lookup]}}]
    parts = {"columns": model.columns, "blocks": blocks, "steps": [], "final": model.plan.final}
    assert not LinearPlan.model_validate(parts).small


def test_the_gateway_answers_without_its_worker_and_counts_as_ever(
    linear: tuple[GatewayEndpoints, list[int]], http: httpx.Client, linear_path: Path
) -> None:
    endpoints, (worker,) = linear
    frame = pd.DataFrame([{**ROW, "signed": None}])
    wanted = load_served_model(linear_path).predict(frame)
    os.kill(worker, signal.SIGSTOP)
    try:
        given = invoke(http, {"dataframe_records": [{**ROW, "signed": None}]}, "linear")
    finally:
        os.kill(worker, signal.SIGCONT)

    assert given.json() == {"predictions": wanted}
    assert given.headers["served-model-name"] == "churn_model-1"
    assert endpoints.traffic("linear")["churn_model-1"].requests == 1
    refused = invoke(http, {"dataframe_records": [{**ROW, "charges": "dear"}]}, "linear")
    assert refused.status_code == 400
    assert refused.json()["details"][0]["field_violations"][0]["field"] == "charges"
