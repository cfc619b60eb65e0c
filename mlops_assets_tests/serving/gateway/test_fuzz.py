"""Bodies that no client would send, many at a time: a refusal each, no crash, and good requests beside them work."""

import asyncio
import json
import random
from collections import Counter

import httpx
import pytest

from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets_tests.serving.conftest import token_of, workers_of

GOOD = {"dataframe_records": [{"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": "2024-01-01"}]}
ODD = [None, True, -1, 1e308, 10**400, "", "\0", "ä" * 9, [], {}, [[]], {"a": {"b": []}}, "2024-13-99", "NaN", -0.0]


def fuzzed(draw: random.Random) -> bytes:
    """A good body with some of it replaced, repeated, cut or turned over."""
    kind = draw.randrange(5)
    text = json.dumps(GOOD).encode()
    if kind == 0:
        return bytes(draw.randrange(256) for _ in range(draw.randrange(60)))
    if kind == 1:
        return text[: draw.randrange(len(text))]
    if kind == 2:
        place = draw.randrange(len(text))
        return text[:place] + bytes([draw.randrange(256)]) + text[place + 1 :]
    row = dict(GOOD["dataframe_records"][0])
    if kind == 3:
        row[draw.choice(list(row))] = draw.choice(ODD)  # type: ignore[assignment]
        return json.dumps({"dataframe_records": [row] * draw.randrange(1, 3)}).encode()
    form = draw.choice(["dataframe_split", "dataframe_records", "instances", "inputs", "params"])
    return json.dumps(
        {form: draw.choice([*ODD, [row, draw.choice(ODD)], {"columns": ["tenure"], "data": ODD}])}
    ).encode()


async def ask(url: str, token: str, bodies: list[bytes]) -> Counter[tuple[bool, int]]:
    """Answers by whether the body was the good one and by status, sixteen at a time."""
    seen: Counter[tuple[bool, int]] = Counter()
    waiting = iter(bodies)
    headers = {"Authorization": f"Bearer {token}"}
    good = json.dumps(GOOD).encode()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client:

        async def caller() -> None:
            for body in waiting:
                answer = await client.post("/serving-endpoints/churn/invocations", content=body)
                answer.json()
                seen[body == good, answer.status_code] += 1

        await asyncio.gather(*(caller() for _ in range(16)))
    return seen


@pytest.mark.slow
def test_ten_thousand_bodies_are_refused_or_answered_and_crash_nothing(shared: GatewayAddress) -> None:
    draw = random.Random(1)
    good = json.dumps(GOOD).encode()
    bodies = [good if number % 50 == 0 else fuzzed(draw) for number in range(10_000)]
    before = workers_of(shared.pid)

    seen = asyncio.run(ask(shared.url, token_of(shared), bodies))

    assert workers_of(shared.pid) == before
    assert {status for is_good, status in seen if not is_good} <= {200, 400}
    assert sum(count for (is_good, status), count in seen.items() if status == 400) > 6_000
    assert {status for is_good, status in seen if is_good} == {200}
