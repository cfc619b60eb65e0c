import numpy as np
import polars as pl
import pytest

from mlops_assets.training.errors import TrainingError
from mlops_assets.training.splits import folds, key_hashes, split
from mlops_assets_tests.training.documents import two_clouds

ROWS = two_clouds(2_000).with_columns(group=pl.col("id") // 20)
RATIOS = [0.7, 0.15, 0.15]


@pytest.mark.parametrize(
    ("method", "by"), [("random", None), ("stratified", "label"), ("grouped", "group"), ("time", "time")]
)
def test_every_row_is_in_one_split_and_the_shares_are_the_ratios(method: str, by: str | None) -> None:
    found = split(ROWS, ["id"], method=method, ratios=RATIOS, by=by)
    assert sorted(np.concatenate(list(found.rows.values())).tolist()) == list(range(2_000))
    shares = [len(found.rows[name]) / 2_000 for name in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, RATIOS, atol=0.06 if method == "grouped" else 0.03)


@pytest.mark.parametrize(("method", "by"), [("random", None), ("stratified", "label"), ("grouped", "group")])
def test_the_order_of_the_rows_does_not_matter(method: str, by: str | None) -> None:
    shuffled = ROWS.sample(fraction=1.0, shuffle=True, seed=5)
    one = split(ROWS, ["id"], method=method, ratios=RATIOS, by=by)
    other = split(shuffled, ["id"], method=method, ratios=RATIOS, by=by)
    for name in one.rows:
        assert set(ROWS["id"][one.rows[name]]) == set(shuffled["id"][other.rows[name]])
        assert one.row_set_hash(name) == other.row_set_hash(name)


@pytest.mark.parametrize(("method", "by"), [("random", None), ("grouped", "group")])
def test_a_row_stays_in_its_split_when_rows_are_added(method: str, by: str | None) -> None:
    before = split(ROWS.head(1_000), ["id"], method=method, ratios=RATIOS, by=by)
    after = split(ROWS, ["id"], method=method, ratios=RATIOS, by=by)
    for name in before.rows:
        assert set(before.rows[name]) == {row for row in after.rows[name] if row < 1_000}


def test_another_seed_is_another_split() -> None:
    hashes = {split(ROWS, ["id"], method="random", ratios=RATIOS, seed=n).row_set_hash("test") for n in range(3)}
    assert len(hashes) == 3


def test_a_stratified_split_keeps_the_share_of_each_class() -> None:
    found = split(ROWS, ["id"], method="stratified", ratios=RATIOS, by="label")
    shares = [ROWS["label"][rows].mean() for rows in found.rows.values()]
    np.testing.assert_allclose(shares, ROWS["label"].mean(), atol=0.002)


def test_a_group_is_never_divided() -> None:
    found = split(ROWS, ["id"], method="grouped", ratios=RATIOS, by="group")
    groups = [set(ROWS["group"][rows]) for rows in found.rows.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_a_split_by_time_trains_on_the_past_and_never_divides_an_instant() -> None:
    rows = ROWS.with_columns(time=pl.col("time").dt.truncate("1d")).sample(fraction=1.0, shuffle=True, seed=1)
    found = split(rows, ["id"], method="time", ratios=[0.8, 0.2], by="time")
    train, test = (rows["time"][found.rows[name]] for name in ("train", "test"))
    assert train.max() < test.min()  # type: ignore[operator]
    assert len(found.rows["validation"]) == 0


def test_one_instant_alone_leaves_nothing_to_train_on() -> None:
    rows = ROWS.with_columns(time=pl.lit(ROWS["time"][0]))
    with pytest.raises(TrainingError, match="leaves none to train on"):
        split(rows, ["id"], method="time", ratios=[0.8, 0.2], by="time")


def test_key_hashes_are_those_of_md5() -> None:
    import hashlib

    rows = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    expected = [hashlib.md5(text.encode()).digest()[:8] for text in ("\x1f1\x1fx", "\x1f\x1fy")]
    assert [int.from_bytes(each, "big") for each in expected] == key_hashes(rows, ["a", "b"]).tolist()


@pytest.mark.parametrize(
    ("method", "by"), [("random", None), ("stratified", "label"), ("grouped", "group"), ("time", "time")]
)
def test_folds_test_on_rows_they_do_not_train_on(method: str, by: str | None) -> None:
    train = split(ROWS, ["id"], method=method, ratios=RATIOS, by=by).rows["train"]
    pairs = folds(ROWS, train, ["id"], method=method, count=4, seed=0, by=by)
    assert len(pairs) == 4
    for fitted_on, tested_on in pairs:
        assert not set(fitted_on) & set(tested_on)
        assert len(tested_on)
        if method == "time":
            assert ROWS["time"][fitted_on].max() < ROWS["time"][tested_on].min()  # type: ignore[operator]
        if method == "grouped":
            assert not set(ROWS["group"][fitted_on]) & set(ROWS["group"][tested_on])
    if method != "time":
        assert sorted(np.concatenate([each for _, each in pairs])) == sorted(train)


@pytest.mark.parametrize("label", [True, 1])
def test_rows_without_a_label_are_a_class_of_their_own_in_a_stratified_split(label: object) -> None:
    given = pl.Series([label if each % 10 == 0 else None for each in range(400)])
    rows = two_clouds(400).with_columns(label=given)
    parts = split(rows, ["id"], method="stratified", ratios=[0.5, 0.5], by="label").rows
    assert {name: len(part) for name, part in parts.items()} == {"train": 200, "validation": 0, "test": 200}
    assert rows["label"].gather(parts["test"]).null_count() == 180


@pytest.mark.parametrize("method", ["time", "grouped"])
def test_folds_that_would_be_empty_are_refused(method: str) -> None:
    rows = two_clouds(4).with_columns(group=pl.lit("a"))
    with pytest.raises(TrainingError, match="cross_validation_folds: 5 of 4 training rows leave a fold without"):
        folds(rows, np.arange(4), ["id"], method=method, count=5, seed=0, by="time" if method == "time" else "group")


def test_a_split_that_leaves_nothing_to_judge_on_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"a random split of 20 rows by \[1\.0, 0\.0\] leaves none to judge on"):
        split(two_clouds(20), ["id"], method="random", ratios=[1.0, 0.0])


def test_folds_by_time_are_cut_between_instants() -> None:
    rows = ROWS.with_columns(time=pl.col("time").dt.truncate("1d"))
    train = split(rows, ["id"], method="time", ratios=RATIOS, by="time").rows["train"]
    pairs = folds(rows, train, ["id"], method="time", count=4, seed=0, by="time")
    for learned_from, checked_on in pairs:
        assert rows["time"][learned_from].max() < rows["time"][checked_on].min()  # type: ignore[operator]
    assert len(pairs) == 4
