"""What widely used drift libraries get wrong, each held as a test of ours."""

import numpy as np
import pytest

from mlops_assets.monitoring.drift import compare
from mlops_assets.monitoring.statistics import chi_square, psi


@pytest.mark.parametrize("levels", [2, 3, 10])
def test_the_contingency_test_alarms_falsely_as_often_as_it_says(levels):
    """A test that takes the reference as truth alarms on 24 % (3 levels) to 98 % (10 levels) of them."""
    random = np.random.default_rng(levels)
    pairs = random.multinomial(5000, np.full(levels, 1 / levels), size=(2000, 2))
    alarms = np.mean([chi_square(*pair)[1] < 0.05 for pair in pairs])
    assert 0.04 <= alarms <= 0.06


def test_one_unseen_level_in_a_thousand_rows_is_no_drift():
    reference = ["a", "b"] * 500
    current = ["a", "b"] * 499 + ["a", "new"]
    found = compare(reference, current, method="chi_square")
    assert found.p_value is not None
    assert found.p_value > 0.3
    assert not compare(reference, current, method="psi").drifted


@pytest.mark.parametrize("outlier", [1e6, 1e9, -1e300])
def test_one_outlier_hides_no_drift(outlier):
    """In bins of equal width over both samples, one value of 1e6 takes PSI from 0.997 to 0.019."""
    random = np.random.default_rng(0)
    reference, current = random.normal(size=10_000), random.normal(1, 1, 10_000)
    clean = compare(reference, current, method="psi").statistic
    for first, second in (([*reference, outlier], current), (reference, [*current, outlier])):
        assert compare(first, second, method="psi").statistic == pytest.approx(clean, rel=0.01)
        assert compare(first, second, method="ks_test").statistic > 0.3
    assert clean > 0.85


@pytest.mark.parametrize("method", ["psi", "chi_square", "jensen_shannon", "hellinger", "total_variation"])
@pytest.mark.parametrize("values", [np.random.default_rng(1).normal(size=1000).tolist(), ["a", "b"] * 500])
def test_a_null_is_a_bin_of_its_own(method, values):
    holes = [None if index % 5 < 3 else value for index, value in enumerate(values)]
    found = compare(values, holes, method=method)
    assert found.drifted
    assert (found.reference_nulls, found.current_nulls) == (0.0, 0.6)


def test_distances_of_values_say_how_many_nulls_they_left_out():
    found = compare([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, None], method="ks_test")
    assert (found.reference_nulls, found.current_nulls) == (0.0, 0.25)


@pytest.mark.parametrize("spike", [0.0, 5.0])
@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_a_spike_is_a_bin_of_its_own(spike, share):
    """A column that is mostly one value collapses quantile edges, and a naive PSI reads 0."""
    random = np.random.default_rng(2)
    rest = random.exponential(size=10_000)
    reference = np.where(random.random(10_000) < share, spike, rest)
    for moved in (spike + 0.01, spike - 0.01):
        current = np.where(reference == spike, moved, reference)
        assert compare(reference, current, method="psi").statistic > 0.5
    less = np.where(random.random(10_000) < share / 2, spike, rest)
    assert compare(reference, less, method="psi").drifted


def test_an_empty_bin_is_neither_infinite_nor_hundreds():
    assert psi([500, 500], [1000, 0]) == pytest.approx((0.5 - 1) * np.log(0.5) + (0.5 - 0.0005) * np.log(1000))
    assert psi([10**6, 0], [10**6 - 1, 1]) < 1e-5
    assert psi([1000, 0], [0, 1000]) < 20


def test_a_rare_level_that_had_to_be_absent_is_no_evidence():
    rare = np.array([10**6, *[1] * 10_000])
    assert psi(rare, np.array([1000, *[0] * 10_000])) < 0.01
