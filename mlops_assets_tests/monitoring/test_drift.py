import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_assets.monitoring.drift import METHODS, compare

REFERENCE_COUNTS = [16, 18, 16, 14, 12, 12]
CURRENT_COUNTS = [16, 16, 16, 16, 16, 8]


def levels(counts, names="abcdefgh"):
    return [name for name, count in zip(names, counts, strict=False) for _ in range(count)]


def whole_numbers(counts):
    return [value for value, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize("column", [levels, whole_numbers])
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("hellinger", 0.06812774370983354),
        ("jensen_shannon", 0.08173421330573756),
        ("psi", 0.037218381577290835),
        ("total_variation", 0.06818181818181819),
        ("chi_square", 1.6224089635854342),
    ],
)
def test_two_columns_of_six_values_give_the_published_statistics(column, method, expected):
    found = compare(column(REFERENCE_COUNTS), column(CURRENT_COUNTS), method=method)
    assert found.statistic == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "current", "statistic", "p"),
    [
        (REFERENCE_COUNTS, CURRENT_COUNTS, 1.6224089635854342, 0.8985262394026607),
        ([10, 10, 20], [20, 20, 20], 2.7777777777777777, 0.24935220877729622),
    ],
)
def test_the_test_of_homogeneity_gives_the_published_p(reference, current, statistic, p):
    found = compare(levels(reference), levels(current), method="chi_square")
    assert (found.statistic, found.p_value) == (
        pytest.approx(statistic, abs=1e-12),
        pytest.approx(p, abs=1e-12),
    )
    assert not found.drifted


def test_psi_of_shares_gives_the_published_value():
    found = compare(levels([40, 30, 30]), levels([35, 25, 40]), method="psi")
    assert found.statistic == pytest.approx(0.0445609, abs=1e-7)


def test_wasserstein_of_three_values_is_five():
    assert compare([0, 1, 3], [5, 6, 8], method="wasserstein").statistic == pytest.approx(5, abs=1e-12)


def test_ks_of_four_values_has_the_exact_p():
    found = compare([1, 2, 3, 4], [3, 4, 5, 6], method="ks_test")
    assert (found.statistic, found.p_value) == (0.5, pytest.approx(0.7714285714285716, abs=1e-12))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(-1e3, 1e3))
def test_wasserstein_of_a_shift_is_the_shift(values, shift):
    found = compare(values, [value + shift for value in values], method="wasserstein")
    assert found.statistic == pytest.approx(abs(shift), abs=1e-6)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcd") | st.none(), min_size=1, max_size=60),
    st.lists(st.sampled_from("abcde") | st.none(), min_size=1, max_size=60),
)
def test_distances_of_levels_are_symmetric_and_zero_against_themselves(reference, current):
    for method in ("psi", "jensen_shannon", "hellinger", "total_variation"):
        there = compare(reference, current, method=method).statistic
        assert there == pytest.approx(compare(current, reference, method=method).statistic, abs=1e-12)
        assert there >= 0
        assert compare(reference, reference, method=method).statistic == pytest.approx(0, abs=1e-7)


def test_psi_without_drift_is_bins_less_one_times_both_samples_inverse():
    random = np.random.default_rng(0)
    found = [compare(random.normal(size=2000), random.normal(size=1000), method="psi").statistic for _ in range(400)]
    assert np.mean(found) == pytest.approx(9 * (1 / 2000 + 1 / 1000), rel=0.06)


def test_psi_takes_ten_quantile_bins_of_the_reference():
    random = np.random.default_rng(3)
    reference, current = random.normal(size=5000), random.normal(0.4, 1, 3000)
    edges = np.quantile(reference, np.arange(1, 10) / 10)
    p = np.bincount(np.searchsorted(edges, reference), minlength=10) / 5000
    q = np.bincount(np.searchsorted(edges, current), minlength=10) / 3000
    expected = ((p - q) * np.log(p / q)).sum()
    assert compare(reference, current, method="psi").statistic == pytest.approx(expected, abs=1e-12)
    assert compare(reference, current, method="psi", bins=edges.tolist()).statistic == pytest.approx(expected)
    assert compare(reference, current, method="psi", bins=20).statistic != pytest.approx(expected)


def test_ks_and_wasserstein_are_those_of_scipy():
    random = np.random.default_rng(4)
    reference, current = random.gamma(2, size=800), random.gamma(2.2, size=700)
    ks = compare(pl.Series(reference), current, method="ks_test")
    assert (ks.statistic, ks.p_value) == tuple(stats.ks_2samp(reference, current))
    found = compare(reference, current, method="wasserstein").statistic
    assert found == stats.wasserstein_distance(reference, current)


def test_the_threshold_of_wasserstein_is_in_standard_deviations_of_the_reference():
    reference = np.random.default_rng(5).normal(0, 100, 5000)
    assert not compare(reference, reference + 8, method="wasserstein").drifted
    assert compare(reference, reference + 12, method="wasserstein").drifted
    assert not compare(reference, reference + 12, method="wasserstein", threshold=0.2).drifted


def test_default_thresholds_are_five_percent_for_tests_and_a_tenth_for_distances():
    found = {method: compare([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], method=method) for method in METHODS}
    tests = {"ks_test", "chi_square", "mmd"}
    assert {method: one.threshold for method, one in found.items()} == {
        method: 0.05 if method in tests else 0.1 for method in METHODS
    }
    assert {method for method, one in found.items() if one.p_value is not None} == tests
    assert not any(one.drifted for one in found.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_shift_of_a_whole_deviation_is_drift_by_every_method(method):
    random = np.random.default_rng(6)
    assert compare(random.normal(size=1000), random.normal(1, 1, 1000), method=method).drifted


@pytest.mark.parametrize("method", METHODS)
def test_nan_none_and_polars_null_are_the_same(method):
    values = [1.0, 2.0, 2.0, 3.0, 5.0, 8.0]
    forms = (
        [*values, None],
        [*values, float("nan")],
        np.array([*values, np.nan]),
        pl.Series([*values, None]),
    )
    found = {compare([*values, None], form, method=method) for form in forms}
    assert len(found) == 1


def test_strings_and_booleans_are_categories_in_every_form():
    words = ["a", "b", "b"] * 20
    forms = (
        words,
        np.array(words),
        np.array(words, dtype=object),
        pl.Series(words),
        pl.Series(words, dtype=pl.Categorical),
    )
    assert {compare(words, form, method="psi").statistic for form in forms} == {0.0}
    found = compare([True] * 50 + [False] * 50, np.array([True] * 80 + [False] * 20), method="total_variation")
    assert found.statistic == pytest.approx(0.3)


def test_dates_are_numbers():
    days = pl.date_range(pl.date(2013, 1, 1), pl.date(2013, 12, 31), eager=True)
    found = compare(days, days.dt.offset_by("7d"), method="wasserstein")
    assert found.statistic == pytest.approx(7 * 86_400 * 1e6)
    assert compare(days.to_numpy().astype("datetime64[h]"), days, method="wasserstein").statistic == 0
    assert compare(days.to_list(), days.dt.offset_by("200d").to_list(), method="psi").drifted


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'jensen_shannon'"):
        compare([1], [1], method="jensen-shanon")


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ([], [1], "reference column is empty"),
        ([1], np.array([]), "current column is empty"),
        ([1, "a"], [1], "mixed types in reference: numbers and strings"),
        ([1, 2], ["a", "b"], "reference holds numbers, current strings"),
        ([True, False], [1, 0], "booleans, current numbers"),
        ([[1], [2]], [1], "list"),
        ("text", [1], "reference is a str"),
        (np.ones((2, 2)), [1], "2 dimensions"),
    ],
)
def test_columns_that_cannot_be_compared_say_why(reference, current, said):
    with pytest.raises(ValueError, match=said):
        compare(reference, current, method="psi")


def test_strings_have_no_order():
    with pytest.raises(ValueError, match="ks_test: strings have no order"):
        compare(["a"], ["b"], method="ks_test")


def test_a_column_of_nulls_alone_has_a_psi_but_no_ks():
    nothing = [None] * 600
    assert compare([1.0, 2.0] * 300, nothing, method="psi").drifted
    with pytest.raises(ValueError, match="nulls alone"):
        compare([1.0, 2.0], nothing, method="ks_test")


def test_infinite_values_are_counted_but_have_no_distance():
    reference, current = [-np.inf, *range(100), np.inf], [-np.inf] * 50 + [np.inf] * 50
    assert compare(reference, current, method="psi").drifted
    assert compare(reference, current, method="ks_test").drifted
    with pytest.raises(ValueError, match="infinity"):
        compare(reference, current, method="wasserstein")
