import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring.label_drift import label_drift


def classes(share: float, rows: int = 5000) -> pl.Series:
    return pl.Series([index < share * rows for index in range(rows)])


def test_it_is_the_psi_of_the_classes_without_what_chance_makes_of_it() -> None:
    same = label_drift(classes(0.3), classes(0.3), classes=True, least=500)
    moved = label_drift(classes(0.5), classes(0.3), classes=True, least=500)
    assert same.value == pytest.approx(-2 / 5000)
    assert moved.value == pytest.approx(0.2 * np.log(0.5 / 0.3) - 0.2 * np.log(0.5 / 0.7) - 2 / 5000)


def test_labels_that_are_numbers_are_compared_by_quantiles() -> None:
    random = np.random.default_rng(0)
    learned = pl.Series(random.normal(size=5000))
    near, far = (
        label_drift(pl.Series(random.normal(at, size=5000)), learned, classes=False, least=500) for at in (0, 1)
    )
    assert near.value is not None
    assert far.value is not None
    assert near.value < 0.01
    assert far.value > 0.5


def test_labels_that_have_not_arrived_are_none_and_too_few_say_nothing() -> None:
    late = pl.concat([classes(0.5, 400), pl.Series([None] * 4600, dtype=pl.Boolean)])
    found = label_drift(late, classes(0.3), classes=True, least=500)
    assert (found.value, found.reason) == (None, "400 labels are too few to judge")


def test_labels_in_words_are_classes_too() -> None:
    words = {value: "yes" if value else "no" for value in (True, False)}
    moved, learned = (classes(share).replace_strict(words, return_dtype=pl.String) for share in (0.5, 0.3))
    found = label_drift(moved, learned, classes=True, least=500)
    assert found == label_drift(classes(0.5), classes(0.3), classes=True, least=500)
