import numpy as np
import polars as pl
import pytest
import sklearn.metrics

from mlops_assets.monitoring.bootstrap import bootstrap_interval
from mlops_assets.monitoring.breaches import performance_alarm
from mlops_assets.monitoring.estimates import ESTIMATES, estimate
from mlops_assets.monitoring.measures import window_performance
from mlops_assets.monitoring.metrics import METRICS, Outcomes, score
from mlops_assets.monitoring.performance import PERFORMANCE_SCHEMA, performance_frame, performance_from_frame

CLASSIFIER = [name for name, metric in METRICS.items() if metric.classifier]


def scored(rows=2000, seed=0, decimals=2):
    """Calibrated probabilities, rounded so that there are ties."""
    random = np.random.default_rng(seed)
    probability = np.round(random.beta(1, 3, rows), decimals)
    return Outcomes((random.random(rows) < probability).astype(float), (probability > 0.4).astype(float), probability)


def predictions(**columns):
    outcomes = scored()
    frame = pl.DataFrame(
        {
            "window": np.repeat(["2013-04", "2013-05"], 1000),
            "version": np.tile(["1", "2"], 1000),
            "prediction": outcomes.prediction.astype(int),
            "probability": outcomes.probability,
            "late": outcomes.label.astype(int),
        }
    )
    return frame.with_columns(**columns)


@pytest.mark.parametrize("name", METRICS)
def test_every_weighted_formula_is_scikit_learns_with_sample_weights(name):
    metric, outcomes = METRICS[name], scored(500)
    if not metric.classifier:
        outcomes = Outcomes(np.random.default_rng(1).normal(5, 2, 500), outcomes.probability * 10)
    weights = np.random.default_rng(2).integers(0, 4, (3, 500)).astype(float)
    given = outcomes.probability if metric.on_probability else outcomes.prediction
    theirs = getattr(sklearn.metrics, metric.function)
    expected = [theirs(outcomes.label, given, sample_weight=row) for row in weights]
    assert metric.weighted(outcomes, weights) == pytest.approx(expected)
    assert metric.weighted(outcomes, np.ones((1, 500)))[0] == pytest.approx(score(metric, outcomes))


def test_each_window_and_version_is_measured_on_its_own_rows():
    frame = predictions()
    found = window_performance(frame, label="late", metrics=["model_roc_auc", "accuracy", "f1"])
    assert [(one.window, one.version, one.rows, one.coverage) for one in found] == [
        ("2013-04", "1", 500, 1.0),
        ("2013-04", "2", 500, 1.0),
        ("2013-05", "1", 500, 1.0),
        ("2013-05", "2", 500, 1.0),
    ]
    rows = frame.filter(window="2013-05", version="1")
    expected = sklearn.metrics.roc_auc_score(rows["late"], rows["probability"])
    assert found[2].value("model_roc_auc") == found[2].value("auc") == pytest.approx(expected)
    assert [value.name for value in found[2].metrics] == ["roc_auc", "accuracy", "f1_score"]
    assert all(one.lower < one.value < one.upper for one in found[2].metrics)


def test_labels_that_have_not_arrived_lower_the_coverage_and_change_no_metric():
    arrived = predictions().filter(pl.int_range(pl.len()) % 5 != 0)
    waiting = predictions(late=pl.when(pl.int_range(pl.len()) % 5 != 0).then(pl.col("late")))
    one, other = (window_performance(frame, label="late", metrics=["roc_auc"])[0] for frame in (arrived, waiting))
    assert (one.coverage, other.coverage) == (1.0, 0.8)
    assert (one.metrics, one.labelled) == (other.metrics, other.labelled)


def test_a_window_without_labels_is_null_with_a_reason():
    frame = predictions(late=pl.lit(None, pl.Int64))
    found = window_performance(frame, label="late", metrics=["accuracy"], estimates=["roc_auc"])[0]
    assert (found.labelled, found.coverage) == (0, 0.0)
    assert (found.metrics[0].value, found.metrics[0].reason) == (None, "no labelled rows")
    assert found.value("estimated_roc_auc") > 0.6


@pytest.mark.parametrize(
    ("metric", "changed", "reason"),
    [
        ("roc_auc", {"late": pl.lit(0)}, "all 500 labels are negative"),
        ("average_precision", {"late": pl.lit(1)}, "all 500 labels are positive"),
        ("recall", {"late": pl.lit(0)}, "no positive labels"),
        ("precision", {"prediction": pl.lit(0)}, "no positive predictions"),
        (
            "f1",
            {"late": pl.lit(0), "prediction": pl.lit(0)},
            "neither positive labels nor positive predictions",
        ),
        ("roc_auc", {"probability": pl.lit(None, pl.Float64)}, "no probabilities"),
        ("r2", {"late": pl.lit(1)}, "all labels are equal"),
    ],
)
def test_an_undefined_metric_is_null_with_a_reason_and_never_nought(metric, changed, reason):
    found = window_performance(predictions(**changed), label="late", metrics=[metric])[0].metrics[0]
    assert (found.value, found.lower, found.reason) == (None, None, reason)


def test_strings_booleans_and_numbers_name_the_same_positive_class():
    words = {
        name: pl.when(pl.col(name) == 1).then(pl.lit("yes")).otherwise(pl.lit("no")) for name in ("late", "prediction")
    }
    forms = [
        (predictions(), None),
        (predictions(late=pl.col("late").cast(pl.Boolean)), None),
        (predictions(late=pl.col("late").cast(pl.Float64)), [0, 1]),
        (predictions(**words), ["no", "yes"]),
    ]
    found = [
        window_performance(frame, label="late", metrics=CLASSIFIER, classes=classes and (lambda _, it=classes: it))
        for frame, classes in forms
    ]
    assert all(one == found[0] for one in found)


def test_labels_of_a_version_that_does_not_say_its_classes_are_refused():
    with pytest.raises(ValueError, match=r"'late' holds \[1, 2\], and version 1 does not say which classes"):
        window_performance(predictions(late=pl.col("late") + 1), label="late", metrics=["accuracy"])


def test_a_regression_is_measured_as_scikit_learn_does():
    random = np.random.default_rng(0)
    label = random.normal(10, 3, 400)
    frame = pl.DataFrame(
        {"window": "w", "version": "1", "prediction": label + random.normal(0, 1, 400), "minutes": label}
    )
    found = window_performance(frame, label="minutes", metrics=["rmse", "mae", "r2"])[0]
    assert found.value("rmse") == pytest.approx(sklearn.metrics.root_mean_squared_error(label, frame["prediction"]))
    assert found.metrics[0].lower < found.value("rmse") < found.metrics[0].upper


def test_a_missing_column_and_an_unknown_metric_name_the_nearest():
    with pytest.raises(ValueError, match=r"no column 'lat'.*did you mean 'late'"):
        window_performance(predictions(), label="lat", metrics=["accuracy"])
    with pytest.raises(ValueError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        window_performance(predictions(), label="late", metrics=["acuracy"])


def test_the_same_seed_gives_the_same_interval():
    metric, outcomes = METRICS["roc_auc"], scored(800)
    assert bootstrap_interval(metric, outcomes, seed=1) == bootstrap_interval(metric, outcomes, seed=1)
    assert bootstrap_interval(metric, outcomes, seed=1) != bootstrap_interval(metric, outcomes, seed=2)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    truth = score(METRICS["roc_auc"], scored(400_000, seed=99))
    held = 0
    for seed in range(200):
        lower, upper = bootstrap_interval(METRICS["roc_auc"], scored(400, seed=seed), seed=seed)
        held += lower <= truth <= upper
    assert 0.90 <= held / 200 <= 0.985


def test_an_interval_that_rests_on_one_positive_row_is_none():
    outcomes = Outcomes(np.array([1.0] + [0.0] * 3), np.zeros(4), np.array([0.9, 0.1, 0.2, 0.3]))
    found = bootstrap_interval(METRICS["roc_auc"], Outcomes(outcomes.label[:1], np.zeros(1), np.array([0.9])))
    assert found is None


@pytest.mark.parametrize("name", ESTIMATES)
def test_an_estimate_is_what_the_metric_turns_out_to_be(name):
    outcomes = scored(200_000, decimals=6)
    expected = score(METRICS[name], outcomes)
    assert estimate(name, outcomes.probability, outcomes.prediction) == pytest.approx(expected, abs=0.005)


def test_the_estimated_auc_is_the_mean_over_all_labels_that_may_come():
    random = np.random.default_rng(0)
    probability = np.round(random.random(300), 2)
    labels = random.random((3000, 300)) < probability
    pairs = [
        METRICS["roc_auc"].weighted(Outcomes(row.astype(float), row, probability), np.ones((1, 300))) for row in labels
    ]
    assert estimate("roc_auc", probability, probability > 0.5) == pytest.approx(np.mean(pairs), abs=0.002)


@pytest.mark.parametrize(
    "probability",
    [
        np.random.default_rng(0).random(50_000),
        np.random.default_rng(0).beta(0.5, 5000, 50_000),
        np.random.default_rng(0).integers(0, 6, 50_000) / 5,
        np.array([0.0, 1.0, 1.0, 0.25, 0.25]),
    ],
    ids=["even", "near zero", "few values", "ends and ties"],
)
def test_the_estimated_auc_is_that_of_each_row_counted_as_both_classes_by_its_probability(probability):
    both = np.concatenate([np.ones_like(probability), np.zeros_like(probability)])
    weights = np.concatenate([probability, 1 - probability])
    expected = sklearn.metrics.roc_auc_score(both, np.concatenate([probability, probability]), sample_weight=weights)
    assert estimate("roc_auc", probability, probability > 0.5) == pytest.approx(expected, abs=1e-5)


def test_an_estimate_is_called_one_and_a_metric_without_one_is_refused():
    found = window_performance(predictions(), label="late", metrics=["accuracy"], estimates=["model_accuracy"])[0]
    assert [value.name for value in found.metrics] == ["accuracy", "estimated_accuracy"]
    with pytest.raises(ValueError, match="no estimate of 'rmse'"):
        window_performance(predictions(), label="late", metrics=["accuracy"], estimates=["rmse"])


def test_a_metric_breaches_its_threshold_in_its_own_direction():
    history = window_performance(predictions(), label="late", metrics=["roc_auc", "log_loss"], estimates=["roc_auc"])
    auc, loss = history[0].value("roc_auc"), history[0].value("log_loss")
    fine = {
        "model_roc_auc": auc - 1e-9,
        "log_loss": loss + 1e-9,
        "feature_drift": 0.0,
        "estimated_roc_auc": 0.5,
    }
    assert performance_alarm(history[:1], fine) == []
    bad = {"model_roc_auc": auc + 1e-9, "log_loss": loss - 1e-9, "estimated_roc_auc": 0.99}
    found = performance_alarm(history[:1], bad)
    assert [(one.metric, one.higher_is_better) for one in found] == [
        ("model_roc_auc", True),
        ("log_loss", False),
        ("estimated_roc_auc", True),
    ]
    assert (found[0].window, found[0].version, found[0].value) == ("2013-04", "1", auc)


def test_an_undefined_metric_and_too_few_labels_breach_nothing():
    history = window_performance(predictions(late=pl.lit(0)), label="late", metrics=["roc_auc", "accuracy"])
    assert performance_alarm(history, {"roc_auc": 0.99}) == []
    assert len(performance_alarm(history, {"accuracy": 1.1}, min_labelled=500)) == 4
    assert performance_alarm(history, {"accuracy": 1.1}, min_labelled=501) == []


def test_versions_are_in_the_order_of_their_numbers():
    frame = predictions(version=pl.when(pl.col("version") == "1").then(pl.lit("10")).otherwise(pl.lit("9")))
    found = window_performance(frame, label="late", metrics=["accuracy"])
    assert [one.version for one in found] == ["9", "10", "9", "10"]


def test_stored_performance_comes_back_whole():
    history = window_performance(predictions(), label="late", metrics=["roc_auc", "recall"], estimates=["accuracy"])
    stored = performance_frame(history)
    assert stored.schema == PERFORMANCE_SCHEMA
    assert stored.height == 12
    assert performance_from_frame(stored) == history
