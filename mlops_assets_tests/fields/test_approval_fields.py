"""What a deployment waits for, who may let it go on, and under which name it does."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets.promoters import require_promoter
from mlops_assets.config import DeploymentConfig
from mlops_assets_tests.fields.life import DEPLOYMENT, Life, life_in, metadata

CHANGES: dict[str, Any] = {
    "deployment": {"deployment_type": "batch", "requires_approval": True, "registered_as": "prod_churn", "tests": []}
}


def asked(life: Life, **changes: Any) -> tuple[list[dg.RunRequest], list[str]]:
    """What the approval sensor asks for, and what it says where it does not."""
    sensor = life.definitions(**changes).resolve_sensor_def("shop_approval_sensor")
    with dg.build_sensor_context(instance=life.instance, resources={"registry": life.registry}) as context:
        data = sensor.evaluate_tick(context)
    return list(data.run_requests or []), [data.skip_message or ""]


@pytest.mark.slow
def test_production_waits_for_a_person_and_goes_on_as_a_copy_when_the_sensor_sees_the_approval(tmp_path: Path) -> None:
    with life_in(tmp_path) as life:
        waiting = life.run("bronze", "silver", "gold", "model", "deployment", **CHANGES)

        assert not waiting.success
        (failed,) = [event for event in waiting.all_events if event.is_step_failure]
        assert "waits for a person's approval for production" in str(failed)
        assert life.registry.champion("churn") is None
        assert life.registry.versions("prod_churn") == []
        requests, (said,) = asked(life, **CHANGES)
        assert not requests
        assert "waits for a person's approval" in said

        life.registry.client.set_registered_model_alias("churn", "approved", "1")
        (request,), _ = asked(life, **CHANGES)
        assert request.run_key == "shop:production:approved:churn:1"
        assert request.asset_selection == [dg.AssetKey(["shop", "deployment", "production"])]

        done, again = life.run("deployment", **CHANGES), life.run("deployment", **CHANGES)

        assert done.success
        assert again.success
        assert metadata(done, "production")["model"] == "prod_churn"
        assert [version.version for version in life.registry.versions("prod_churn")] == ["1"]
        for name in ("churn", "prod_churn"):
            assert life.registry.require_champion(name).version == "1"
        requests, (said,) = asked(life, **CHANGES)
        assert not requests
        assert "is in production already" in said

        named = {"deployment": {**CHANGES["deployment"], "promoters": ["jane@example.com"]}}
        assert "waits for" in asked(life, **named)[1][0]
        life.registry.tag(life.registry.version("churn", "1"), approved_by="joe@example.com")
        assert "approved for production by joe@example.com, who is none of jane" in asked(life, **named)[1][0]


JANE = {"user": "jane@example.com"}


@pytest.mark.parametrize(
    ("promoters", "tags"),
    [
        ([], {}),
        (["jane@example.com"], JANE),
        (["sensor:shop_approval_sensor"], {"dagster/sensor_name": "shop_approval_sensor"}),
        (["schedule:shop_schedule"], {"dagster/schedule_name": "shop_schedule"}),
    ],
)
def test_a_promoter_may_deploy(promoters: list[str], tags: dict[str, str]) -> None:
    require_promoter(DeploymentConfig.model_validate({**DEPLOYMENT, "promoters": promoters}), tags)


@pytest.mark.parametrize(
    ("tags", "who"),
    [
        ({}, "nobody that a tag 'user' names"),
        ({"user": "joe"}, "joe"),
        ({"dagster/schedule_name": "shop_schedule"}, "schedule:shop_schedule"),
    ],
)
def test_anybody_else_is_refused_in_one_sentence_and_not_tried_again(tags: dict[str, str], who: str) -> None:
    config = DeploymentConfig.model_validate({**DEPLOYMENT, "promoters": ["jane@example.com"]})
    with pytest.raises(
        dg.Failure, match=f"promoters are jane@example.com, and this run was started by {who}"
    ) as raised:
        require_promoter(config, tags)
    assert not raised.value.allow_retries
