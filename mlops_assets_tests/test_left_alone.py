"""The loop without a person: a daemon, files that arrive, and nothing else. Minutes, most of them waiting."""

from collections import Counter
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.monitoring.windowed import read_windows
from mlops_assets.registry import ModelRegistry
from mlops_assets_tests.daemon import Alone, left_alone
from mlops_assets_tests.monitoring import servers

pytestmark = pytest.mark.slow

ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def judged(alone: Alone, month: str) -> bool:
    table = alone.path("monitoring", "drift")
    return not read_windows(table, [month]).is_empty()


def all_done(alone: Alone, job: str, count: int) -> bool:
    runs = alone.runs(job)
    return len(runs) >= count and all(run.status in ENDED for run in runs)


def test_the_daemon_alone_ingests_scores_judges_tells_retrains_and_promotes_and_a_kill_doubles_nothing(
    tmp_path: Path,
) -> None:
    with servers.web_server() as posted, left_alone(tmp_path, f"{posted.url}/hook") as alone:
        alone.feed("2013-01")
        alone.run_pipeline()
        alone.feed("2013-02")
        alone.start()
        alone.wait("a retraining for February", lambda: len(alone.runs("retrain")) == 1)
        alone.kill()
        alone.start()
        alone.wait("February's retraining to its end", lambda: all_done(alone, "retrain", 1))
        # A month that arrives during the training may be learned by it, and then asks for none of its own.
        alone.feed("2013-03")
        alone.wait("March judged", lambda: judged(alone, "2013-03"))
        alone.wait("a retraining for March", lambda: all_done(alone, "retrain", 2))
        promoted = ModelRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
        versions = promoted.versions("flight_delay")
        champion = promoted.champion("flight_delay")
        retrained = alone.runs("retrain")
        scored = delta.scan(alone.path("gold", "predictions")).collect()
        arrived = delta.scan(alone.path("silver", "flights")).filter(pl.col("month") > 1).collect()

    causes = Counter(run.tags["mlops/cause"] for run in retrained)
    assert set(causes.values()) == {1}
    assert [run.tags["mlops/window"] for run in retrained] == ["2013-02", "2013-03"]
    assert all(run.status == dg.DagsterRunStatus.SUCCESS for run in retrained)
    assert [one.window for one in versions[1:]] == ["2013-02", "2013-03"]
    assert champion is not None
    assert champion.version == max((one.version for one in versions if one.passed), key=int) != "1"
    assert scored.height == arrived.height == scored["request_id"].n_unique()
    told = Counter(alert["id"] for _, body in posted.requests for alert in body.get("alerts", []))
    assert {"flight_delay:v1:2013-02:drift", "flight_delay:v1:2013-02:performance"} <= set(told)
    assert set(told.values()) == {1}
