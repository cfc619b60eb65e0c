import numpy as np
import polars as pl
import pytest
import sklearn.metrics

from mlops_assets.monitoring.measures import window_performance

WEATHER = ["drizzle", "rain", "sun"]


def of(label, prediction, probability=None):
    rows = {"window": "2024-01", "version": "3", "label": label, "prediction": prediction, "probability": probability}
    return pl.DataFrame(rows, schema_overrides={"probability": pl.Float64})


def skies(seed=0):
    random = np.random.default_rng(seed)
    truth = random.choice(WEATHER, 300, p=[0.1, 0.4, 0.5])
    return truth, np.where(random.random(300) < 0.7, truth, random.choice(WEATHER, 300))


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "matthews_corrcoef", "precision"])
def test_metrics_of_more_than_two_classes_are_scikit_learns(name):
    truth, said = skies()
    expected = {
        "accuracy": sklearn.metrics.accuracy_score,
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
        "f1_macro": lambda *both: sklearn.metrics.f1_score(*both, average="macro"),
        "matthews_corrcoef": sklearn.metrics.matthews_corrcoef,
        "precision": lambda *both: sklearn.metrics.precision_score(*both, average="macro"),
    }[name](truth, said)
    found = window_performance(
        of(truth, said), label="label", metrics=[name], classes=lambda _: WEATHER, estimates=["accuracy"]
    )[0]
    assert found.metrics[0].value == pytest.approx(expected, abs=1e-12)
    assert found.metrics[0].lower < expected < found.metrics[0].upper


def test_a_class_that_the_model_has_never_seen_is_a_miss():
    found = window_performance(
        of(["sun", "snow", "rain"], ["sun", "sun", "rain"]),
        label="label",
        metrics=["accuracy"],
        classes=lambda _: WEATHER,
    )
    assert found[0].metrics[0].value == pytest.approx(2 / 3)


def test_what_needs_every_classs_probability_is_null_and_says_why():
    truth, said = skies()
    found = window_performance(of(truth, said, 0.5), label="label", metrics=["log_loss"], classes=lambda _: WEATHER)
    assert found[0].metrics[0].value is None
    assert found[0].metrics[0].reason == "predictions keep the probability of the predicted class only"


def test_accuracy_of_more_classes_is_estimated_by_the_predicted_ones_probability():
    truth, said = skies()
    found = window_performance(
        of(truth, said, 0.7), label="label", metrics=["accuracy"], classes=lambda _: WEATHER,
        estimates=["accuracy", "roc_auc"],
    )[0]  # fmt: skip
    assert found.value("estimated_accuracy") == pytest.approx(0.7)
    assert found.metrics[-1].reason == "no estimate for more than two classes"


@pytest.mark.parametrize("name", ["f1_macro", "matthews_corrcoef", "expected_calibration_error", "brier_score"])
def test_labels_in_words_are_measured_as_the_same_labels_in_numbers(name):
    random = np.random.default_rng(1)
    given = random.random(400)
    truth, said = (random.random(400) < given).astype(int), (given > 0.5).astype(int)
    words = np.array(["no", "yes"])
    numbers = window_performance(of(truth, said, given), label="label", metrics=[name])
    named = window_performance(
        of(words[truth], words[said], given), label="label", metrics=[name], classes=lambda _: ["no", "yes"]
    )
    assert named == numbers
    assert numbers[0].metrics[0].value is not None


def test_every_metric_of_a_regression_is_measured():
    random = np.random.default_rng(2)
    truth = random.uniform(1, 9, 200)
    said = truth + random.normal(0, 1, 200)
    found = window_performance(of(truth, said), label="label", metrics=["mape", "max_error"])[0]
    assert found.value("mape") == pytest.approx(sklearn.metrics.mean_absolute_percentage_error(truth, said))
    assert found.value("max_error") == pytest.approx(sklearn.metrics.max_error(truth, said))
    assert not any(one.higher_is_better for one in found.metrics)
