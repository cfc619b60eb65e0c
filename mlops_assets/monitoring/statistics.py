"""Statistics of two samples.

From counts per bin (two arrays of the same length) or from the values themselves.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.float64]


def shares(counts: ArrayLike) -> Counts:
    """Counts per bin as fractions of their total."""
    values = np.asarray(counts, dtype=np.float64)
    return np.asarray(values / values.sum())


def occupied(reference: ArrayLike, current: ArrayLike) -> tuple[Counts, Counts]:
    """The bins in which at least one of the two samples has a row."""
    first, second = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    kept = (first + second) > 0
    return first[kept], second[kept]


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """Population stability index, sum((p - q) ln(p / q)) in nats; symmetric, never infinite.

    A bin that is empty on one side alone is smoothed to half a row of that side's sample, and never beyond
    the other side's share: an empty bin that had to be expected is no evidence. All other bins stay as they
    are.
    """
    first, second = occupied(reference, current)
    p, q = shares(first), shares(second)
    half_p, half_q = 0.5 / first.sum(), 0.5 / second.sum()
    p, q = np.where(p == 0, np.minimum(half_p, q), p), np.where(q == 0, np.minimum(half_q, p), q)
    return float(((p - q) * np.log(p / q)).sum())


def psi_bias(reference: ArrayLike, current: ArrayLike) -> float:
    """The mean of PSI where nothing drifted: (B - 1)(1/n + 1/m) for B occupied bins."""
    first, second = occupied(reference, current)
    return float((len(first) - 1) * (1 / first.sum() + 1 / second.sum()))


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> float:
    """Jensen-Shannon distance (the root of the divergence) with base 2, between 0 and 1; scipy's."""
    from scipy.spatial.distance import jensenshannon

    return float(np.nan_to_num(jensenshannon(shares(reference), shares(current), base=2)))


def hellinger(reference: ArrayLike, current: ArrayLike) -> float:
    """Hellinger distance, sqrt(sum((sqrt p - sqrt q)^2) / 2), between 0 and 1."""
    return float(np.linalg.norm(np.sqrt(shares(reference)) - np.sqrt(shares(current))) / np.sqrt(2))


def total_variation(reference: ArrayLike, current: ArrayLike) -> float:
    """Total variation distance, sum(|p - q|) / 2: the share of rows that would have to change bin."""
    return float(np.abs(shares(reference) - shares(current)).sum() / 2)


def chi_square(reference: ArrayLike, current: ArrayLike) -> tuple[float, float]:
    """Statistic and p of Pearson's homogeneity test on the 2 x B contingency table, uncorrected."""
    from scipy.stats import chi2_contingency

    table = np.vstack(occupied(reference, current))
    if table.shape[1] < 2:
        return 0.0, 1.0
    result = chi2_contingency(table, correction=False)
    return float(result.statistic), float(result.pvalue)


def ks_test(reference: Counts, current: Counts) -> tuple[float, float]:
    """Statistic and p of the two-sample Kolmogorov-Smirnov test on values.

    Exact up to 10,000 rows, as scipy does.
    """
    from scipy.stats import ks_2samp

    result = ks_2samp(reference, current)
    return float(result.statistic), float(result.pvalue)


def wasserstein(reference: Counts, current: Counts) -> float:
    """First Wasserstein distance of values, in their own units."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(reference, current))


def ks_of_counts(reference: ArrayLike, current: ArrayLike) -> tuple[float, float]:
    """KS over ordered bins.

    The largest gap of the two CDFs at a bin's edge, a lower bound, and its asymptotic p.
    """
    from scipy.stats import distributions

    n, m = float(np.sum(reference)), float(np.sum(current))
    statistic = float(np.abs(np.cumsum(shares(reference)) - np.cumsum(shares(current))).max())
    return statistic, float(distributions.kstwo.sf(statistic, max(round(n * m / (n + m)), 1)))
