import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlops_assets.serving import changes
from mlops_assets.serving.fleet import Fleet
from mlops_assets.serving.home import GatewayHome
from mlops_assets.serving.protocol import CreateEndpoint, UpdateConfig
from mlops_assets.serving.replicas import Replicas


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
