"""Metrics of clusters as functions of row counts."""

import numpy as np
import pytest
from sklearn import metrics

from mlops_assets.training.evaluation import Outcomes
from mlops_assets.training.shapes import SHAPES

RANDOM = np.random.default_rng(0)
CELLS = np.concatenate([RANDOM.normal(centre, 1, size=(100, 3)) for centre in (0, 2, 5)])
LABELS = np.repeat([0, 1, 2], 100)
FOUND = Outcomes(LABELS, features=CELLS)


@pytest.mark.parametrize("function", ["calinski_harabasz_score", "davies_bouldin_score"])
@pytest.mark.parametrize("absent", [None, 1])
def test_a_shape_of_counted_rows_is_scikit_learns_of_the_rows_written_out(function: str, absent: int | None) -> None:
    counts = np.bincount(RANDOM.integers(0, 300, 300), minlength=300) * (absent != LABELS)
    rows = np.repeat(np.arange(300), counts)
    expected = getattr(metrics, function)(CELLS[rows], LABELS[rows])
    assert SHAPES[function](FOUND)(counts.astype(float)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("function", ["calinski_harabasz_score", "davies_bouldin_score"])
def test_a_shape_is_undefined_where_one_cluster_is_drawn(function: str) -> None:
    assert np.isnan(SHAPES[function](FOUND)((LABELS == 2).astype(float)))
