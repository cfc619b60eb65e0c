"""Maximum mean discrepancy (MMD): how far two samples lie apart in a Gaussian kernel's space, outliers notwithstanding.

The kernel's width is the median distance of the reference's values (Gretton et al., 2012).
"""

import numpy as np

from mlops_assets.monitoring.bins import Floats

MOST_ROWS = 1_000
PERMUTATIONS = 999


def mmd_test(reference: Floats, current: Floats, seed: int = 0) -> tuple[float, float]:
    """Distance and p of two samples of values; at most 1,000 of each, drawn and permuted by `seed`."""
    random = np.random.default_rng(seed)
    first, second = (_drawn(values, random) for values in (reference, current))
    values, n, m = np.concatenate([first, second]), len(first), len(second)
    kernel = _gaussian(values, _median_distance(first, np.ones(n)))
    signs = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    weights = np.vstack([signs, *(random.permutation(signs) for _ in range(PERMUTATIONS))])
    squared = ((weights @ kernel) * weights).sum(axis=1)
    # Permutations that are the samples themselves differ by rounding alone.
    p_value = float((squared >= squared[0] - 1e-12).mean())
    return float(np.sqrt(max(squared[0], 0.0))), p_value


def mmd_of_counts(reference: Floats, current: Floats, values: Floats) -> tuple[float, float]:
    """Distance and p of two samples from their rows per bin, the last bin that of nulls, which lie apart from all
    `values` (one a bin but the last, NaN where neither has a row). The null distribution is the gamma of its first two
    moments (Gretton et al., 2009).
    """
    occupied = (reference + current) > 0
    first, second = reference[occupied], current[occupied]
    n, m = first.sum(), second.sum()
    kernel = np.eye(len(occupied))
    kernel[:-1, :-1] = _gaussian(values, _median_distance(values, reference[:-1]))
    kernel = kernel[np.ix_(occupied, occupied)]
    gap, shares = first / n - second / m, (first + second) / (n + m)
    squared = float(gap @ kernel @ gap)
    return float(np.sqrt(max(squared, 0.0))), _gamma_tail(squared, kernel, shares, 1 / n + 1 / m)


def _gamma_tail(squared: float, kernel: Floats, shares: Floats, scale: float) -> float:
    from scipy.stats import gamma

    means = kernel @ shares
    centred = kernel - means[:, None] - means[None, :] + shares @ means
    mean = scale * float(shares @ centred.diagonal())
    variance = 2 * scale**2 * float(shares @ centred**2 @ shares)
    return float(gamma.sf(squared, mean**2 / variance, scale=variance / mean)) if variance > 0 else 1.0


def _drawn(values: Floats, random: np.random.Generator) -> Floats:
    return random.choice(values, MOST_ROWS, replace=False) if len(values) > MOST_ROWS else values


def _gaussian(values: Floats, width: float) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.exp(-(((values[:, None] - values[None, :]) / width) ** 2) / 2))


def _median_distance(values: Floats, weights: Floats) -> float:
    """The weighted median distance of two values that are not the same, 1 where there are none."""
    kept = weights > 0
    distances = np.abs(values[kept][:, None] - values[kept][None, :]).ravel()
    pairs = np.outer(weights[kept], weights[kept]).ravel()[distances > 0]
    distances = distances[distances > 0]
    if len(distances) == 0:
        return 1.0
    order = np.argsort(distances)
    below = np.cumsum(pairs[order])
    return float(distances[order][np.searchsorted(below, below[-1] / 2)])
