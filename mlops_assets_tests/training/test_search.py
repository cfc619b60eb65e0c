from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from mlops_assets.config import TrainingConfig
from mlops_assets.registry import ModelRegistry
from mlops_assets.training import search as searching
from mlops_assets.training.candidate import train
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import fit
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.replay import replay, shown
from mlops_assets.training.search import Searched, search
from mlops_assets_tests.training.documents import features, training, two_clouds

DEPTH = {"type": "int", "low": 1, "high": 12}
LEAF = {"type": "int", "low": 1, "high": 200, "log": True}
CRITERION = {"type": "categorical", "choices": ["gini", "entropy"]}


def config(**fields: object) -> TrainingConfig:
    given = {
        "algorithm": "decision_tree",
        "search_space": {"max_depth": DEPTH, "min_samples_leaf": LEAF, "criterion": CRITERION},
        "trials": 12,
    }
    return training(["x0", "x1", "x2"], **{**given, **fields})


def found(wanted: TrainingConfig, storage: Path | None = None, rows: pl.DataFrame | None = None) -> Searched:
    return search(wanted, features(), two_clouds() if rows is None else rows, study="study", storage=storage)


def test_the_best_trial_beats_a_tree_without_bounds_on_held_out_rows() -> None:
    best = found(config())
    chosen = config(hyperparameters=best.hyperparameters)
    assert (
        fit(chosen, features(), two_clouds()).metrics["test_roc_auc"]
        > 0.05 + (fit(config(), features(), two_clouds()).metrics["test_roc_auc"])
    )
    assert best.trials.height == 12
    assert best.score == pytest.approx(best.trials["score"].max())


def test_the_score_is_the_mean_over_folds_of_the_training_split_alone() -> None:
    wanted = config(trials=1, cross_validation_folds=4)
    best = found(wanted)
    by_hand = fit(wanted.model_copy(update={"hyperparameters": best.hyperparameters}), features(), two_clouds())
    assert best.score == pytest.approx(np.mean([fold.values["roc_auc"] for fold in by_hand.folds]), abs=1e-12)
    held_out = by_hand.held_out["id"]
    ruined = two_clouds().with_columns(x0=pl.when(pl.col("id").is_in(held_out.implode())).then(99.0).otherwise("x0"))
    assert found(wanted, rows=ruined).score == best.score


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_same_seed_gives_the_same_trials_in_parallel_too(parallel: int) -> None:
    one, other = (found(config(max_parallel_trials=parallel)).trials.drop("seconds") for _ in range(2))
    assert one.equals(other)
    elsewhere = found(config(max_parallel_trials=parallel, random_seed=1)).trials.drop("seconds")
    assert not one.equals(elsewhere)


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "home" / "studies.db"
    whole = found(config()).trials
    calls = iter(range(100))
    score = searching._Task.score

    def killed(task: Any, hyperparameters: Any, fold: int) -> float | str:
        if next(calls) == 14:
            raise KeyboardInterrupt
        return score(task, hyperparameters, fold)

    with monkeypatch.context() as patch:
        patch.setattr(searching._Task, "score", killed)
        with pytest.raises(KeyboardInterrupt):
            found(config(), storage)
    again = found(config(), storage).trials
    columns = ["state", "score", "max_depth", "min_samples_leaf", "criterion"]
    assert again.select(columns).equals(whole.select(columns))
    assert again["trial"].to_list() != whole["trial"].to_list()
    assert found(config(), storage).trials.equals(again)


def test_a_value_of_the_document_is_tried_first_and_others_stay_fixed() -> None:
    given = {"max_depth": 3, "min_samples_leaf": 20, "criterion": "gini", "splitter": "random"}
    best = found(config(hyperparameters=given, trials=3))
    assert best.trials.row(0, named=True)["min_samples_leaf"] == "20"
    assert best.hyperparameters["splitter"] == "random"


def test_trials_worse_than_the_median_are_given_up() -> None:
    best = found(config(trials=20, cross_validation_folds=4))
    assert best.metrics["search_pruned"] >= 1
    assert best.trials.filter(pl.col("state") == "pruned")["score"].null_count() == best.metrics["search_pruned"]


def test_a_trial_that_cannot_be_scored_is_told_and_the_others_go_on() -> None:
    space = {"max_features": {"type": "float", "low": 0.5, "high": 1.5, "step": 0.5}}
    best = found(config(search_space=space, trials=8))
    assert best.metrics["search_failed"] >= 1
    assert "max_features" in best.trials.filter(pl.col("state") == "failed")["reason"][0]
    with pytest.raises(TrainingError, match=r"none of 2 trials could be scored: .*max_features"):
        found(config(search_space={"max_features": {"type": "float", "low": 1.5, "high": 2}}, trials=2))


def test_no_trial_begins_after_the_timeout() -> None:
    with pytest.raises(TrainingError, match="none of 0 trials could be scored within"):
        found(config(search_timeout="0s"))


def test_the_gates_metric_is_sought_in_its_direction() -> None:
    best = found(config(gate={"metric": "log_loss"}))
    assert best.metric == "log_loss"
    assert best.score == pytest.approx(best.trials["score"].min())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"a": {"type": "int", "low": 3, "high": 1}}, "3 is above high 1"),
        ({"a": {"type": "float", "low": 0, "high": 1, "log": True}}, "has no logarithm"),
        ({"a": {"type": "int", "low": 1, "high": 9, "log": True, "step": 2}}, "exclude each other"),
        ({"a": {"type": "categorical", "choices": [1, 1]}}, "has a value twice"),
        ({"a": {"type": "integer", "low": 1, "high": 2}}, "'int', 'float', 'categorical'"),
    ],
)
def test_a_range_without_meaning_is_refused(space: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(search_space=space)


def test_a_range_of_an_unknown_hyperparameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(TrainingError, match=r"search_space: .* has no 'max_dept'; did you mean 'max_depth'\?"):
        found(config(search_space={"max_dept": DEPTH}))


def test_what_was_chosen_is_registered_and_replayed(tmp_path: Path) -> None:
    from mlops_assets.lake import delta

    registry, table = ModelRegistry.below(tmp_path), str(tmp_path / "training_set")
    delta.overwrite(table, two_clouds(), transactions={})
    wanted = config(trials=4, registry_model_name="searched")
    rows, lineage = delta.scan(table, 0).collect(), lineage_of(wanted, features(), {table: 0})
    done = train(wanted, features(), rows, registry, lineage, cause={}, studies=tmp_path / "studies.db")
    run = registry.client.get_run(done.version.run_id)
    assert done.searched is not None
    assert run.data.params["max_depth"] == str(done.searched.hyperparameters["max_depth"])
    assert run.data.metrics["search_roc_auc"] == done.searched.score
    assert "max_depth" in str(registry.text(done.version, "search.csv"))
    found = replay(registry, done.version)
    assert found.equal, shown(found)


@pytest.mark.parametrize(
    "own", [{"criterion": "log_loss"}, {"max_depth": 40}, {"max_depth": "deep"}, {"max_depth": True}], ids=str
)
def test_a_value_of_the_document_out_of_its_range_is_not_tried_and_stops_nothing(own: dict[str, Any]) -> None:
    tried = found(config(hyperparameters=own, trials=2)).trials
    assert tried["state"].to_list() == ["complete", "complete"]
    [(name, value)] = own.items()
    assert str(value) not in tried[name].to_list()


def test_a_trial_that_lightgbm_refuses_in_its_own_way_is_told_and_the_others_go_on() -> None:
    pytest.importorskip("lightgbm")
    leaves = {"type": "categorical", "choices": [1, 4]}
    tried = found(config(algorithm="lightgbm", search_space={"num_leaves": leaves}, trials=4)).trials
    assert set(tried["state"]) == {"complete", "failed"}
    assert "num_leaves" in tried.filter(pl.col("state") == "failed")["reason"][0]
