import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_assets.monitoring import statistics


def test_a_single_occupied_bin_is_no_evidence():
    assert statistics.chi_square([10, 0], [20, 0]) == (0.0, 1.0)
    assert statistics.psi([10, 0], [20, 0]) == 0.0
    assert statistics.psi_bias([10, 0], [20, 0]) == 0.0


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=8))
def test_full_bins_are_not_smoothed(bins):
    first, second = (np.array(side) for side in zip(*bins, strict=True))
    p, q = first / first.sum(), second / second.sum()
    assert statistics.psi(first, second) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-12)


def test_ks_over_bins_of_single_values_is_ks_of_the_values():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 8, 40_000), random.integers(0, 8, 30_000) // 2 * 2
    counts = [np.bincount(side, minlength=8) for side in (first, second)]
    expected = stats.ks_2samp(first, second)
    assert statistics.ks_of_counts(*counts) == (
        pytest.approx(expected.statistic),
        pytest.approx(expected.pvalue),
    )


def test_two_levels_are_tested_without_yates_correction():
    """The correction would alarm on far fewer than 5 % of small samples without drift."""
    statistic, p_value = statistics.chi_square([10, 20], [20, 10])
    assert statistic == pytest.approx(20 / 3)
    assert p_value == pytest.approx(stats.chi2.sf(20 / 3, 1))
