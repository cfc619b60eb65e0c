import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring.drift import compare
from mlops_assets.monitoring.mmd import mmd_of_counts, mmd_test
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.verdict import feature_drift


def test_it_is_the_distance_of_the_mean_embeddings_and_none_of_the_same_rows() -> None:
    first, second = np.array([0.0, 1.0]), np.array([3.0, 4.0])

    def kernel(x: float, y: float) -> float:
        return float(np.exp(-((x - y) ** 2) / 2))  # the median distance of the reference is 1

    within = [(2 + 2 * kernel(0, 1)) / 4, (2 + 2 * kernel(3, 4)) / 4]
    across = np.mean([kernel(x, y) for x in first for y in second])
    assert mmd_test(first, second)[0] == pytest.approx(np.sqrt(sum(within) - 2 * across))
    assert mmd_test(first, first) == (0.0, 1.0)


def test_a_thousand_rows_by_a_seed_are_asked_of_any_number() -> None:
    random = np.random.default_rng(0)
    reference, current = random.normal(size=50_000), random.normal(0.3, 1, 50_000)
    assert compare(reference, current, method="mmd") == compare(reference, current, method="mmd")
    assert compare(reference, current, method="mmd").drifted


def test_one_outlier_hides_no_shift() -> None:
    random = np.random.default_rng(1)
    reference, current = random.normal(size=1000), random.normal(0.5, 1, 1000)
    assert compare(np.append(reference, 1e9), np.append(current, -1e9), method="mmd").drifted


def test_infinity_has_no_distance() -> None:
    with pytest.raises(ValueError, match="mmd: a distance to infinity is no number"):
        compare([1.0, 2.0], [1.0, np.inf], method="mmd")


def test_what_is_told_of_bins_is_what_is_told_of_their_values() -> None:
    random = np.random.default_rng(2)
    reference, current = random.normal(size=1000), random.normal(0.4, 1.5, 1000)
    frames = [pl.DataFrame({"x": values}) for values in (reference, current)]
    fitted = fit_reference(frames[0], ["x"])
    (binned,) = feature_drift(fitted.profile, summarise(frames[1], fitted), method="mmd")
    assert binned.method == "mmd"
    assert binned.statistic == pytest.approx(mmd_test(reference, current)[0], rel=0.02)
    assert binned.drifted


def test_false_alarms_of_both_are_as_many_as_they_say() -> None:
    random = np.random.default_rng(3)
    values = np.linspace(-2, 2, 20)
    draws = random.multinomial(2000, np.full(21, 1 / 21), size=(1000, 2)).astype(float)
    binned = np.mean([mmd_of_counts(first, second, values)[1] < 0.05 for first, second in draws])
    assert 0.035 <= binned <= 0.065
    permuted = [mmd_test(*random.normal(size=(2, 60)))[1] for _ in range(300)]
    assert 0.02 <= np.mean(np.array(permuted) < 0.05) <= 0.09
