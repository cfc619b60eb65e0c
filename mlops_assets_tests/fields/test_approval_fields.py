"""What a deployment waits for, and under which name it goes on."""

from pathlib import Path

import pytest

from mlops_assets_tests.fields.life import life_in, metadata

CHANGES = {
    "deployment": {"deployment_type": "batch", "requires_approval": True, "registered_as": "prod_churn", "tests": []}
}


@pytest.mark.slow
def test_production_waits_for_a_person_and_then_goes_on_as_a_copy_under_its_own_name(tmp_path: Path) -> None:
    with life_in(tmp_path) as life:
        waiting = life.run("bronze", "silver", "gold", "model", "deployment", **CHANGES)

        assert not waiting.success
        (failed,) = [event for event in waiting.all_events if event.is_step_failure]
        assert "waits for a person's approval for production" in str(failed)
        assert life.registry.champion("churn") is None
        assert life.registry.versions("prod_churn") == []

        life.registry.client.set_registered_model_alias("churn", "approved", "1")
        done, again = life.run("deployment", **CHANGES), life.run("deployment", **CHANGES)

        assert done.success
        assert again.success
        assert metadata(done, "production")["model"] == "prod_churn"
        assert [version.version for version in life.registry.versions("prod_churn")] == ["1"]
        for name in ("churn", "prod_churn"):
            assert life.registry.require_champion(name).version == "1"
