"""A year of daily windows of 20 features: how often the alarm is wrong, and how soon it is right."""

import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring.alarm import alarm, window_verdict
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.verdict import feature_drift

FEATURES = [f"f{index}" for index in range(20)]


def day(random, rows, shifts):
    return pl.DataFrame({name: random.normal(shift, 1, rows) for name, shift in zip(FEATURES, shifts, strict=True)})


@pytest.fixture(scope="module")
def reference():
    return fit_reference(day(np.random.default_rng(99), 50_000, np.zeros(20)), FEATURES)


def judged(reference, window, frame, method, threshold=None):
    drifts = feature_drift(reference.profile, summarise(frame, reference), method=method, threshold=threshold)
    return window_verdict(str(window), reference.reference_id, drifts)


def alarm_days(reference, rows, nuisance, method, days, threshold=None):
    random = np.random.default_rng(rows + int(nuisance * 100))
    history = []
    for window in range(days):
        shifts = nuisance * random.choice([-1, 1], 20)
        history.append(judged(reference, window, day(random, rows, shifts), method, threshold))
    return sum(alarm(history[max(0, end - 30) : end + 1]).active for end in range(days))


@pytest.mark.parametrize("method", ["psi", "ks_test"])
@pytest.mark.parametrize("nuisance", [0.0, 0.05])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_month_without_drift_have_no_alarm(reference, rows, nuisance, method):
    assert alarm_days(reference, rows, nuisance, method, days=30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square", "jensen_shannon"])
@pytest.mark.parametrize("nuisance", [0.0, 0.05])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_year_without_drift_has_no_alarm(reference, rows, nuisance, method):
    assert alarm_days(reference, rows, nuisance, method, days=365) == 0


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_year_of_wasserstein_at_a_fifth_of_a_deviation_has_no_alarm(reference, rows):
    """A monitor's own default; at a tenth and 1,000 rows a nuisance of 0.05 deviations does alarm."""
    assert alarm_days(reference, rows, 0.05, "wasserstein", days=365) == 0


def detected(reference, rows, method, times):
    random = np.random.default_rng(rows)
    found = 0
    for _ in range(times):
        shifts = np.where(np.arange(20) == random.integers(20), 0.35, 0.0)
        history = [judged(reference, window, day(random, rows, shifts), method) for window in range(2)]
        found += alarm(history).raised
    return found / times


@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square"])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_shift_of_a_third_deviation_is_found_within_two_windows(reference, rows, method):
    assert detected(reference, rows, method, times=20) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square"])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_shift_of_a_third_deviation_is_found_two_hundred_times(reference, rows, method):
    assert detected(reference, rows, method, times=200) >= 0.95


def test_a_year_of_days_costs_its_days(reference):
    """Days merge into the year without reading a row again."""
    random = np.random.default_rng(5)
    days = [day(random, 200, np.zeros(20)) for _ in range(20)]
    whole = summarise(pl.concat(days), reference)
    parts = [summarise(frame, reference) for frame in days]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    for name in FEATURES:
        assert merged.columns[name].counts.tolist() == whole.columns[name].counts.tolist()
