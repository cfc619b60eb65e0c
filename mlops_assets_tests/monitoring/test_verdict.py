import numpy as np
import polars as pl
import pytest
from scipy import stats

from mlops_assets.monitoring.drift import METHODS
from mlops_assets.monitoring.effects import binned_wasserstein, pool_sparse, verdict_bins
from mlops_assets.monitoring.profile import fit_reference, from_frame, merge_profiles, summarise, to_frame
from mlops_assets.monitoring.statistics import psi
from mlops_assets.monitoring.verdict import feature_drift


def normal(rows, shifts=(0.0,) * 5, seed=0):
    random = np.random.default_rng(seed)
    return pl.DataFrame({f"f{index}": random.normal(shift, 1, rows) for index, shift in enumerate(shifts)})


def judged(reference, current, **options):
    fitted = fit_reference(reference, reference.columns)
    return {one.feature: one for one in feature_drift(fitted.profile, summarise(current, fitted), **options)}


@pytest.mark.parametrize("method", METHODS)
def test_a_shifted_feature_is_found_and_the_others_are_not(method):
    found = judged(normal(20_000), normal(2000, (0, 0, 0.5, 0, 0), seed=1), method=method)
    assert {name: one.verdict for name, one in found.items()} == {
        "f0": "ok",
        "f1": "ok",
        "f2": "severe",
        "f3": "ok",
        "f4": "ok",
    }
    assert found["f2"].severity > 1 > max(found[name].severity for name in ("f0", "f1", "f3", "f4"))


@pytest.mark.parametrize("method", METHODS)
def test_a_certain_but_small_shift_is_no_drift(method):
    """Half a million rows make a shift of 0.05 deviations significant; it is still too small to matter."""
    found = judged(normal(500_000, (0,)), normal(500_000, (0.05,), seed=1), method=method)["f0"]
    assert found.p_adjusted < 1e-6
    assert found.verdict == "ok"


def test_a_large_effect_that_may_be_chance_is_no_drift():
    reference = pl.DataFrame({"x": ["a", "b"] * 260})
    current = pl.DataFrame({"x": ["a"] * 285 + ["b"] * 235})
    found = judged(reference, current, effect_floor=0.0, fdr=0.01)["x"]
    assert found.effect > 0
    assert found.verdict == "ok"


def test_the_threshold_of_a_test_is_the_level_and_the_effect_floor_stands_beside_it():
    reference, current = normal(20_000, (0,)), normal(800, (0.3,), seed=5)
    p = judged(reference, current, method="ks_test")["f0"].p_adjusted
    assert judged(reference, current, method="ks_test", threshold=p * 2)["f0"].drifted
    assert not judged(reference, current, method="ks_test", threshold=p / 2)["f0"].drifted
    assert not judged(reference, current, method="ks_test", threshold=p * 2, effect_floor=0.5)["f0"].drifted


@pytest.mark.parametrize("method", ["psi", "wasserstein", "jensen_shannon", "hellinger", "total_variation"])
def test_the_threshold_of_a_distance_is_the_distance(method):
    reference, current = normal(20_000, (0,)), normal(5000, (0.5,), seed=5)
    effect = judged(reference, current, method=method)["f0"].effect
    assert judged(reference, current, method=method, threshold=effect * 0.99)["f0"].drifted
    assert not judged(reference, current, method=method, threshold=effect * 1.01)["f0"].drifted


@pytest.mark.parametrize("method", ["psi", "wasserstein", "jensen_shannon", "hellinger", "total_variation"])
def test_what_alerts_is_beyond_the_distance_and_beyond_the_alerts_threshold_whichever_is_larger(method):
    reference, current = normal(20_000, (0,)), normal(5000, (0.5,), seed=5)
    effect = judged(reference, current, method=method)["f0"].effect
    for threshold, floor in ((None, 1.01), (0.01, 1.01), (1.01, 0.01)):
        given = None if threshold is None else effect * threshold
        found = judged(reference, current, method=method, threshold=given, effect_floor=effect * floor)["f0"]
        assert (found.drifted, found.limit) == (False, pytest.approx(effect * 1.01))
    assert judged(reference, current, method=method, effect_floor=effect * 0.99)["f0"].drifted


def test_a_feature_may_have_a_floor_of_its_own_above_or_below_that_of_the_others():
    reference, current = normal(20_000), normal(20_000, (0.26,) * 5, seed=5)
    found = judged(reference, current, effect_floor=0.1, floors={"f0": 0.05})
    assert [one.drifted for one in found.values()] == [True, False, False, False, False]
    assert (found["f0"].limit, found["f1"].limit) == (0.05, 0.1)


def test_the_default_of_wasserstein_is_a_fifth_of_a_deviation():
    reference = normal(20_000, (0,))
    found = [judged(reference, normal(20_000, (shift,), seed=5), method="wasserstein")["f0"] for shift in (0.15, 0.25)]
    assert [(one.limit, one.drifted) for one in found] == [(0.2, False), (0.2, True)]


def test_p_values_are_adjusted_over_the_features_of_the_window():
    found = judged(normal(5000), normal(1000, (0.1, 0.05, 0, 0, 0.2), seed=2), method="ks_test")
    expected = stats.false_discovery_control([one.p_value for one in found.values()])
    assert [one.p_adjusted for one in found.values()] == pytest.approx(expected)


def test_drift_becomes_severe_with_the_effect():
    reference = normal(50_000, (0,))
    verdicts = [judged(reference, normal(20_000, (shift,), seed=3))["f0"].verdict for shift in (0.1, 0.3, 0.6)]
    assert verdicts == ["ok", "drift", "severe"]


def test_a_shift_of_a_third_deviation_has_the_published_psi():
    found = judged(normal(1_000_000, (0,)), normal(1_000_000, (0.35,), seed=3))["f0"]
    assert found.psi == pytest.approx(0.117, abs=0.001)
    assert found.verdict == "drift"


@pytest.mark.parametrize(("rows", "verdict"), [(499, "insufficient_data"), (500, "severe")])
def test_too_few_rows_are_insufficient_and_not_ok(rows, verdict):
    found = judged(normal(5000, (0,)), normal(rows, (2,), seed=1))["f0"]
    assert found.verdict == verdict
    assert (found.p_adjusted is None) == (verdict == "insufficient_data")
    assert (found.severity == 0) == (verdict == "insufficient_data")


def test_too_few_rows_per_bin_are_insufficient():
    fitted = fit_reference(normal(5000, (0,)), ["f0"], bins=20)
    found = feature_drift(fitted.profile, summarise(normal(590, (0,)), fitted))
    assert found[0].verdict == "insufficient_data"


def test_an_empty_window_is_insufficient():
    found = judged(normal(5000), normal(0))
    assert {one.verdict for one in found.values()} == {"insufficient_data"}


@pytest.mark.parametrize("method", METHODS)
def test_a_column_that_turns_null_has_drifted(method):
    reference = normal(5000, (0,)).with_columns(word=pl.lit("a"))
    kept = pl.when(pl.int_range(pl.len()) % 5 >= 3).then(pl.all())
    current = normal(2000, (0,), seed=1).with_columns(word=pl.lit("a")).select(kept)
    found = judged(reference, current, method=method)
    assert (found["f0"].verdict, found["word"].verdict) == ("severe", "severe")


def test_one_unseen_level_is_no_drift_and_many_are():
    reference = pl.DataFrame({"x": ["a", "b"] * 50_000})
    one = judged(reference, pl.DataFrame({"x": ["a", "b"] * 499 + ["a", "new"]}))["x"]
    many = judged(reference, pl.DataFrame({"x": ["a", "b"] * 350 + ["new"] * 300}))["x"]
    assert (one.verdict, many.verdict) == ("ok", "severe")
    assert one.p_value > 0.1


def test_a_hundred_levels_alarm_on_no_drift():
    """A Jensen-Shannon distance above 0.1 alone alarms on 93 % of such windows."""
    random = np.random.default_rng(0)
    levels = [f"level {index}" for index in range(100)]
    fitted = fit_reference(pl.DataFrame({"x": random.choice(levels, 2000)}), ["x"])
    verdicts = set()
    for _ in range(50):
        current = summarise(pl.DataFrame({"x": random.choice(levels, 2000)}), fitted)
        verdicts |= {one.verdict for one in feature_drift(fitted.profile, current, method="jensen_shannon")}
    assert verdicts == {"insufficient_data"}


def test_the_tail_of_many_levels_is_pooled_and_its_head_judged():
    random = np.random.default_rng(1)
    tail = [f"tail {index}" for index in range(1000)]
    words = np.where(random.random(20_000) < 0.7, random.choice(["a", "b", "c"], 20_000), random.choice(tail, 20_000))
    fitted = fit_reference(pl.DataFrame({"x": words}), ["x"])
    same = summarise(pl.DataFrame({"x": random.permutation(words)[:2000]}), fitted)
    moved = summarise(pl.DataFrame({"x": np.where(words[:2000] == "a", "b", words[:2000])}), fitted)
    first, second, pooled = verdict_bins(fitted.profile.columns["x"], same.columns["x"])
    assert (len(first), first.sum(), second.sum()) == (4, 20_000, 2000)
    assert pooled == pytest.approx(0.3, abs=0.02)
    assert feature_drift(fitted.profile, same)[0].verdict == "ok"
    assert feature_drift(fitted.profile, moved)[0].verdict == "severe"


def test_sparse_bins_are_pooled_until_the_pool_is_dense():
    first, second = pool_sparse(np.array([500.0, 490, 4, 3, 3]), np.array([500.0, 496, 2, 1, 1]))
    assert (first.sum(), second.sum()) == (1000, 1000)
    assert sorted(first.tolist()) == [10, 490, 500]
    first, second = pool_sparse(np.array([500.0, 499, 1]), np.array([499.0, 501, 0]))
    assert len(first) == 2


def test_debiased_psi_without_drift_is_nought_on_average():
    reference = normal(50_000, (0.0,) * 20)
    fitted = fit_reference(reference, reference.columns)
    found = [
        one.psi_debiased
        for seed in range(20)
        for one in feature_drift(fitted.profile, summarise(normal(1000, (0.0,) * 20, seed=seed + 1), fitted))
    ]
    assert abs(np.mean(found)) < 0.0006


def test_a_category_is_judged_by_the_nearest_method_for_categories():
    frame = pl.DataFrame({"x": ["a", "b"] * 500})
    assert judged(frame, frame, method="ks_test")["x"].method == "chi_square"
    assert judged(frame, frame, method="wasserstein")["x"].method == "psi"


def test_a_threshold_in_deviations_is_not_held_against_a_category():
    frame, current = pl.DataFrame({"x": ["a", "b"] * 500}), pl.DataFrame({"x": ["a", "a", "a", "b"] * 250})
    assert judged(frame, current, method="wasserstein", threshold=3.0)["x"].limit == 0.05
    assert judged(frame, current, method="wasserstein", threshold=3.0)["x"].drifted


@pytest.mark.parametrize("shift", [0.2, 1.0, 5.0])
def test_distances_from_the_profile_are_those_of_the_values(shift):
    reference, current = normal(50_000, (0,)), normal(20_000, (shift,), seed=1)
    fitted = fit_reference(reference, ["f0"])
    profile = summarise(current, fitted)
    found = {
        method: feature_drift(fitted.profile, profile, method=method)[0].statistic
        for method in ("ks_test", "wasserstein")
    }
    ks = stats.ks_2samp(reference["f0"], current["f0"]).statistic
    assert ks - 0.006 < found["ks_test"] <= ks + 1e-12
    assert found["wasserstein"] == pytest.approx(stats.wasserstein_distance(reference["f0"], current["f0"]), abs=0.001)


def test_wasserstein_from_sums_is_exact_where_the_cdfs_do_not_cross_in_a_bin():
    reference = pl.DataFrame({"x": np.random.default_rng(0).gamma(2, size=3000)})
    fitted = fit_reference(reference, ["x"], fine_bins=10)
    then, now = fitted.profile.columns["x"], summarise(reference + 3.7, fitted).columns["x"]
    assert binned_wasserstein(then, now, then.bins.edges) == pytest.approx(3.7, abs=1e-9)


def test_psi_from_the_profile_is_psi_of_its_verdict_bins():
    reference, current = normal(5000, (0,)), normal(2000, (0.3,), seed=1)
    edges = np.quantile(reference["f0"], np.arange(1, 10) / 10)
    counts = [np.bincount(np.searchsorted(edges, side["f0"]), minlength=10) for side in (reference, current)]
    assert judged(reference, current)["f0"].psi == pytest.approx(psi(*counts), abs=1e-12)


def test_profiles_of_different_references_are_not_compared():
    first, second = (fit_reference(normal(600, (0,), seed=seed), ["f0"]) for seed in (0, 1))
    with pytest.raises(ValueError, match="different references"):
        feature_drift(first.profile, second.profile)


def test_an_unknown_method_names_the_nearest():
    fitted = fit_reference(normal(600, (0,)), ["f0"])
    with pytest.raises(ValueError, match="did you mean 'ks_test'"):
        feature_drift(fitted.profile, fitted.profile, method="ks")


def odd_columns(rows=1200):
    random = np.random.default_rng(0)
    normal_values = random.normal(size=rows)
    return {
        "normal": normal_values,
        "constant": np.full(rows, 3.0),
        "all null": np.full(rows, np.nan),
        "some null": np.where(np.arange(rows) % 3, np.nan, normal_values),
        "some infinite": np.where(random.random(rows) < 0.2, np.inf, normal_values),
        "all infinite": np.full(rows, -np.inf),
        "huge": random.uniform(-1.7, 1.7, rows) * 1e308,
        "denormal": normal_values * 1.5e-323,
        "whole": random.integers(-5, 5, rows).astype(float),
        "mostly nought": np.where(random.random(rows) < 0.9, 0, random.exponential(size=rows)),
        "signed nought": np.where(random.random(rows) < 0.5, 0.0, -0.0),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", odd_columns())
def test_no_column_however_odd_breaks_a_verdict_or_drifts_from_itself(name):
    columns = odd_columns()
    fitted = fit_reference(pl.DataFrame({"x": columns[name]}), ["x"])
    for other, values in columns.items():
        profile = from_frame(to_frame(summarise(pl.DataFrame({"x": values}), fitted)))
        for method in METHODS:
            found = feature_drift(fitted.profile, profile, method=method)[0]
            numbers = (
                found.statistic,
                found.p_value,
                found.psi,
                found.psi_debiased,
                found.effect,
                found.severity,
            )
            assert not np.isnan(numbers).any()
            if other == name:
                assert not found.drifted


def test_a_baseline_of_the_same_weekdays_knows_that_mondays_differ():
    """Traffic has weekdays: windows merge into the baseline that a window is held against."""
    fitted = fit_reference(normal(7000, (0,)), ["f0"])
    mondays = [summarise(normal(800, (0.8,), seed=seed), fitted) for seed in range(1, 5)]
    monday = summarise(normal(800, (0.8,), seed=9), fitted)
    assert feature_drift(fitted.profile, monday)[0].verdict == "severe"
    assert feature_drift(merge_profiles(mondays), monday)[0].verdict == "ok"
