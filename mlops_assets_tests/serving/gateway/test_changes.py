import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlops_assets.serving.gateway import changes
from mlops_assets.serving.gateway.files import GatewayHome
from mlops_assets.serving.gateway.fleet import Fleet
from mlops_assets.serving.protocol import CreateEndpoint, UpdateConfig
from mlops_assets.serving.workers.replicas import Replicas


def test_a_change_that_fails_in_an_unforeseen_way_is_told_and_the_next_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(versions: Sequence[Replicas]) -> None:
        raise ValueError("plan is broken")

    monkeypatch.setattr(changes, "_start_all", fails)
    config = {"served_entities": [{"entity_name": "m", "entity_version": "1", "model_path": "/nowhere"}]}

    async def life() -> list[str]:
        fleet = Fleet(GatewayHome(tmp_path))
        endpoint = fleet.create(CreateEndpoint.model_validate({"name": "e", "config": config}))
        told = []
        for _ in range(2):
            assert endpoint.change is not None
            await endpoint.change
            told.append(f"{endpoint.record.config_update}: {endpoint.record.message}")
            fleet.update("e", UpdateConfig.model_validate(config))
        await fleet.close()
        return told

    assert asyncio.run(life()) == ["UPDATE_FAILED: ValueError: plan is broken"] * 2


def test_a_change_right_after_a_restart_is_what_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    async def the_first_slowly(versions: Sequence[Replicas]) -> None:
        await asyncio.sleep(0.05 if versions[0].entity.entity_version == "1" else 0)

    async def stop(version: Replicas, drain_seconds: float) -> None:
        stopped.append(version.entity.entity_version)

    monkeypatch.setattr(changes, "_start_all", the_first_slowly)
    monkeypatch.setattr(Replicas, "stop", stop)
    one, two = ({"entity_name": "m", "entity_version": each, "model_path": "/nowhere"} for each in ("1", "2"))

    async def life() -> tuple[list[str], list[str]]:
        fleet = Fleet(GatewayHome(tmp_path))
        made = fleet.create(CreateEndpoint.model_validate({"name": "e", "config": {"served_entities": [one]}}))
        await asyncio.gather(made.change or asyncio.sleep(0))
        again = Fleet(GatewayHome(tmp_path))
        again.restore()
        changed = again.update("e", UpdateConfig.model_validate({"served_entities": [two]})).change
        await asyncio.gather(changed or asyncio.sleep(0))
        await asyncio.sleep(0)
        serving = again.get("e").serving
        found = [each.entity.entity_version for each in serving.versions] if serving else []
        return found, [*stopped]

    assert asyncio.run(life()) == (["2"], ["1"])
