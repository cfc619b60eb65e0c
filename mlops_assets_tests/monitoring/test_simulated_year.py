"""A year of daily windows of 20 features: how often the alarm is wrong, and how soon it is right."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring import statistics
from mlops_assets.monitoring.alarm import alarm, window_verdict
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.verdict import feature_drift

FEATURES = [f"f{index}" for index in range(20)]


def day(random, rows, shifts):
    return pl.DataFrame({name: random.normal(shift, 1, rows) for name, shift in zip(FEATURES, shifts, strict=True)})


@pytest.fixture(scope="module", autouse=True)
def each_table_is_tested_once():
    """The same contingency table comes with every method."""
    chi_square = statistics.chi_square

    @cache
    def remembered(first, second):
        return chi_square(np.frombuffer(first), np.frombuffer(second))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "chi_square", lambda first, second: remembered(first.tobytes(), second.tobytes()))
        yield


@pytest.fixture(scope="module")
def reference():
    return fit_reference(day(np.random.default_rng(99), 50_000, np.zeros(20)), FEATURES)


@pytest.fixture(scope="module")
def days_without_drift(reference):
    """The profiles of so many days, made once for all the methods that judge them."""

    @cache
    def profiles(rows, nuisance, days):
        random = np.random.default_rng(rows + int(nuisance * 100))
        return [summarise(day(random, rows, nuisance * random.choice([-1, 1], 20)), reference) for _ in range(days)]

    return profiles


@pytest.fixture(scope="module")
def shifted_days(reference):
    """Pairs of days of which one feature is a third of a deviation off."""

    @cache
    def profiles(rows, times):
        random = np.random.default_rng(rows)
        shifts = [np.where(np.arange(20) == random.integers(20), 0.35, 0.0) for _ in range(times)]
        return [[summarise(day(random, rows, shift), reference) for _ in range(2)] for shift in shifts]

    return profiles


def judged(reference, profiles, method, threshold=None):
    drifts = (feature_drift(reference.profile, each, method=method, threshold=threshold) for each in profiles)
    return [window_verdict(str(day), reference.reference_id, drift) for day, drift in enumerate(drifts)]


def alarm_days(reference, profiles, method):
    history = judged(reference, profiles, method)
    return sum(alarm(history[max(0, end - 30) : end + 1]).active for end in range(len(history)))


def detected(reference, pairs, method):
    return sum(alarm(judged(reference, pair, method)).raised for pair in pairs) / len(pairs)


@pytest.mark.parametrize("method", ["psi", "ks_test"])
@pytest.mark.parametrize("nuisance", [0.0, 0.05])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_month_without_drift_has_no_alarm(reference, days_without_drift, rows, nuisance, method):
    assert alarm_days(reference, days_without_drift(rows, nuisance, 30), method) == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square", "jensen_shannon"])
@pytest.mark.parametrize("nuisance", [0.0, 0.05])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_year_without_drift_has_no_alarm(reference, days_without_drift, rows, nuisance, method):
    assert alarm_days(reference, days_without_drift(rows, nuisance, 365), method) == 0


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_year_of_wasserstein_at_a_fifth_of_a_deviation_has_no_alarm(reference, days_without_drift, rows):
    """A monitor's own default; at a tenth and 1,000 rows a nuisance of 0.05 deviations does alarm."""
    assert alarm_days(reference, days_without_drift(rows, 0.05, 365), "wasserstein") == 0


@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square"])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_shift_of_a_third_deviation_is_found_within_two_windows(reference, shifted_days, rows, method):
    assert detected(reference, shifted_days(rows, 20), method) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("method", ["psi", "ks_test", "chi_square"])
@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_shift_of_a_third_deviation_is_found_two_hundred_times(reference, shifted_days, rows, method):
    assert detected(reference, shifted_days(rows, 200), method) >= 0.95


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
