"""A version against the champion in the registry: how many rows are compared, in which metric, after which kill."""

from typing import Any

import polars as pl
import pytest

from mlops_assets.config import TrainingConfig
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.version import CHALLENGER
from mlops_assets.training.candidate import Candidate, train
from mlops_assets.training.challenge import gate_decision
from mlops_assets.training.fit import fit
from mlops_assets.training.gates import UNLABELLED
from mlops_assets.training.lineage import lineage_of
from mlops_assets_tests.training.documents import features, training, two_clouds

ROWS = two_clouds(1_000)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    return ModelRegistry.below(tmp_path_factory.mktemp("home"))


def config(name: str, columns: list[str], **fields: Any) -> TrainingConfig:
    gate = {"bootstrap_samples": 100, "signature": "any", **fields.pop("gate", {})}
    return training(columns, algorithm="logistic_regression", registry_model_name=name, gate=gate, **fields)


def trained(registry: ModelRegistry, document: TrainingConfig, rows: pl.DataFrame) -> Candidate:
    return train(document, features(), rows, registry, lineage_of(document, features(), {"t": 0}), cause={})


def test_a_thousand_rows_are_enough_for_a_second_champion_and_too_few_are_told_as_they_are(
    registry: ModelRegistry,
) -> None:
    registry.promote(trained(registry, config("small", ["x0"]), ROWS).version)
    second = gate_decision(fit(config("small", ["x0", "x1", "x2"]), features(), ROWS), registry)
    assert second.promote, second.reasons
    strict = fit(config("small", ["x1"], gate={"min_rows": 200}), features(), ROWS)
    count = strict.held_out.height
    assert count < 200
    assert gate_decision(strict, registry).reasons == [
        f"only {count} rows are held out, and gate.min_rows asks for 200 to compare two models"
    ]
    # Other rows are held out by another seed, so that only those are new that are later.
    later = ROWS.tail(100).with_columns(pl.col("id") + 1_000, pl.col("time").dt.offset_by("42d"))
    grown = fit(config("small", ["x1"], random_seed=5), features(), pl.concat([ROWS, later]))
    new = grown.held_out.filter(pl.col("id") >= 1_000).height
    assert gate_decision(grown, registry).reasons == [
        f"only {new} of {grown.held_out.height} held-out rows are later than what version 1 learned from, and "
        "gate.min_rows asks for 100 to compare two models"
    ]


def test_more_than_two_classes_are_compared_in_a_metric_that_a_rare_one_leaves_defined(registry: ModelRegistry) -> None:
    # One row of a third class, which the test split does not hold.
    grade = pl.when(pl.col("id") == 3).then(pl.lit("rare")).when("label").then(pl.lit("a")).otherwise(pl.lit("b"))
    rows = ROWS.with_columns(label=grade)
    first = trained(registry, config("grades", ["x0"]), rows).version
    assert first.decision == "there is no champion yet; the next version has to beat it in balanced_accuracy"
    registry.promote(first)
    second = gate_decision(fit(config("grades", ["x0", "x1", "x2"]), features(), rows), registry)
    assert second.promote, second.reasons
    named = gate_decision(fit(config("named", ["x1"], gate={"metric": "roc_auc"}), features(), rows), registry)
    assert "roc_auc, which is undefined on these held-out rows (" in named.reasons[0]
    assert named.reasons[0].endswith("): name another gate.metric")


def test_a_version_that_a_kill_left_without_its_alias_gets_it_from_the_next_run(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    one, two = config("killed", ["x0"]), config("killed", ["x1"])
    with monkeypatch.context() as cut:
        cut.setattr(registry.client, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(registry, one, ROWS)
    done = trained(registry, one, ROWS)
    assert not done.trained
    assert registry.version("killed", CHALLENGER).version == done.version.version == "1"
    trained(registry, two, ROWS)
    # An older version that is asked for again is no challenger.
    trained(registry, one, ROWS)
    assert registry.version("killed", CHALLENGER).version == "2"


def test_detectors_without_labels_follow_each_other_where_their_criteria_hold(registry: ModelRegistry) -> None:
    rows = ROWS.drop("label")
    fields: dict[str, Any] = {"model_type": "anomaly_detection", "hyperparameters": {"n_estimators": 5}}
    first = trained(registry, training(["x0"], registry_model_name="odd", **fields), rows).version
    registry.promote(first)
    for columns in (["x0"], ["x0", "x1"]):
        gate = {"signature": "any"}
        second = gate_decision(
            fit(training(columns, registry_model_name="odd", gate=gate, **fields), features(), rows), registry
        )
        assert second.promote
        assert second.reasons == [UNLABELLED]
    unmet = fit(training(["x0"], registry_model_name="odd", promotion_criteria="f1 > 0", **fields), features(), rows)
    assert not gate_decision(unmet, registry).promote
    assert not gate_decision(
        fit(training(["x0"], registry_model_name="odd", gate={"metric": "f1"}, **fields), features(), rows), registry
    ).promote


def test_a_version_that_is_known_is_told_with_its_rows_and_metrics(registry: ModelRegistry) -> None:
    one, again = (trained(registry, config("known", ["x0"]), ROWS) for _ in range(2))
    assert (one.trained, again.trained) == (True, False)
    assert (again.rows, again.metrics) == (one.rows, one.metrics) == (1_000, one.metrics)


def test_a_version_names_the_tables_that_its_training_set_was_made_of(registry: ModelRegistry) -> None:
    document = config("sources", ["x0"])
    lineage = lineage_of(document, features(), {"/set": 3}, {"/gold/features": 7, "/silver/rows": 9})
    version = train(document, features(), ROWS, registry, lineage, cause={}).version
    assert version.made_of == {"/gold/features": 7, "/silver/rows": 9}
    inputs = registry.client.get_run(version.run_id).inputs.dataset_inputs
    told = {(each.dataset.name, each.tags[0].value) for each in inputs}
    assert told == {("set", "training"), ("features", "features"), ("rows", "features")}
