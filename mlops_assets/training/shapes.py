"""How far clusters lie apart, as functions of how often each row counts.

A resample is not made: sums over clusters, weighted by counts, say all that its copies of rows would.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mlops_assets.training.evaluation import Outcomes, shape_rows

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]
Parts = list[tuple[Floats, Floats]]
UNDEFINED = float("nan")


def _silhouette(found: Outcomes) -> Statistic:
    """The mean of each row's silhouette among all rows (Rousseeuw 1987), which is computed once; of at most
    SHAPE_SAMPLE rows, as the metric is.
    """
    from sklearn.metrics import silhouette_samples

    rows = shape_rows(found)
    if not 1 < len(np.unique(found.labels[rows])) < len(rows):
        return lambda _: UNDEFINED
    each = np.asarray(silhouette_samples(found.features[rows], found.labels[rows]), dtype=np.float64)
    return lambda counts: float(np.einsum("i,i->", counts[rows], each) / counts[rows].sum())


def _calinski_harabasz(found: Outcomes) -> Statistic:
    """The dispersion between clusters over that within, each by its degrees of freedom (Calinski and Harabasz 1974)."""

    def value(parts: Parts, sizes: Floats, centres: Floats) -> float:
        rows, within = sizes.sum(), sum(_spreads(parts, centres, power=2))
        apart = ((centres - sizes @ centres / rows) ** 2).sum(axis=1)
        return float(sizes @ apart * (rows - len(sizes)) / (within * (len(sizes) - 1))) if within else 1.0

    return _over_clusters(found, value)


def _davies_bouldin(found: Outcomes) -> Statistic:
    """The mean over clusters of the largest (spread + other's spread) over the distance of their centres (Davies and
    Bouldin 1979).
    """

    def value(parts: Parts, sizes: Floats, centres: Floats) -> float:
        spreads = np.array(_spreads(parts, centres, power=1)) / sizes
        distances = np.linalg.norm(centres[:, None] - centres, axis=2)
        if np.allclose(spreads, 0) or np.allclose(distances, 0):
            return 0.0
        distances[distances == 0] = np.inf
        return float(((spreads[:, None] + spreads) / distances).max(axis=1).mean())

    return _over_clusters(found, value)


SHAPES: Mapping[str, Callable[[Outcomes], Statistic]] = {
    "silhouette_score": _silhouette,
    "calinski_harabasz_score": _calinski_harabasz,
    "davies_bouldin_score": _davies_bouldin,
}


def _over_clusters(found: Outcomes, value: Callable[[Parts, Floats, Floats], float]) -> Statistic:
    """`value` of the counts and rows of each cluster that is drawn, the clusters' sizes and centres; undefined where
    one cluster is drawn, or as many as there are rows.
    """
    features = np.asarray(found.features, dtype=np.float64)
    members = [np.flatnonzero(found.labels == label) for label in np.unique(found.labels)]
    clusters = [(rows, features[rows]) for rows in members]

    def of_counts(counts: Floats) -> float:
        drawn = ((counts[rows], cells) for rows, cells in clusters)
        parts = [(each, cells) for each, cells in drawn if each.any()]
        sizes = np.array([each.sum() for each, _ in parts])
        if not 1 < len(parts) < sizes.sum():
            return UNDEFINED
        sums = np.array([np.einsum("i,ij->j", each, cells) for each, cells in parts])
        return value(parts, sizes, sums / sizes[:, None])

    return of_counts


def _spreads(parts: Parts, centres: Floats, *, power: int) -> list[float]:
    """Of each cluster, the sum of its rows' distances from its centre, or of their squares."""
    squares = (((rows - centre) ** 2).sum(axis=1) for (_, rows), centre in zip(parts, centres, strict=True))
    return [
        float(np.einsum("i,i->", counts, each ** (power / 2))) for (counts, _), each in zip(parts, squares, strict=True)
    ]
