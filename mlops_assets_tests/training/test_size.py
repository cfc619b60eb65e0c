from pathlib import Path

import polars as pl
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.training import size
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import fit
from mlops_assets.training.memory import free_memory, left_in_groups, own_groups
from mlops_assets.training.size import estimated_bytes, require_memory, training_rows
from mlops_assets_tests.training.documents import features, training, two_clouds

ROWS = two_clouds(2_000)
NARROW = training(["x0", "x1"], max_rows=300, algorithm="logistic_regression")


def test_a_sample_is_of_the_same_keys_whatever_the_order_and_keeps_it(tmp_path: Path) -> None:
    found = training_rows(ROWS.lazy(), NARROW, features())
    shuffled = training_rows(ROWS.sample(fraction=1.0, shuffle=True, seed=3).lazy(), NARROW, features())
    assert found.height == 300
    assert found["id"].is_sorted()
    assert shuffled.sort("id").equals(found)
    more = training_rows(ROWS.lazy(), training(["x0"], max_rows=600), features())
    assert set(found["id"]) < set(more["id"])
    assert fit(NARROW, features(), found).rows.height == 300


def test_all_rows_are_taken_where_there_are_no_more() -> None:
    assert training_rows(ROWS.head(250).lazy(), NARROW, features()).equals(ROWS.head(250))


def test_rows_that_memory_would_not_hold_are_refused_with_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = estimated_bytes(1_000_000, ROWS.dtypes)
    with pytest.raises(
        TrainingError, match=r"1,000,000 rows of 6 columns take about 0\.\d GB in training, and"
    ) as told:
        require_memory(1_000_000, ROWS.schema, needed)
    assert "set max_rows to 800,000 or fewer" in str(told.value)
    require_memory(800_000, ROWS.schema, needed)
    monkeypatch.setattr(size, "free_memory", lambda: estimated_bytes(1_000, ROWS.dtypes))
    with pytest.raises(TrainingError, match="set max_rows to 800 or fewer"):
        training_rows(ROWS.lazy(), training(["x0"]), features())
    assert training_rows(ROWS.lazy(), NARROW, features()).height == 300


def test_equal_texts_of_a_frame_are_one_object() -> None:
    texts = pl.DataFrame({"text": ["a long text", None, "b", "a long text", None]})
    values = model_frame(texts, ["text"])["text"].tolist()
    assert values == ["a long text", None, "b", "a long text", None]
    assert values[0] is values[3]


def test_the_window_and_the_labels_are_looked_at_before_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ROWS.with_columns(pl.col("time") - pl.duration(days=900), id=pl.col("id") + 10_000)
    some = pl.when(pl.col("id") % 2 == 0).then("label")
    rows = pl.concat([old, old.with_columns(id=pl.col("id") + 5_000), ROWS]).with_columns(label=some)
    document = training(["x0", "x1"], max_rows=300, training_window="25d", algorithm="logistic_regression")
    found = training_rows(rows.lazy(), document, features())
    assert found.height == 300
    assert fit(document, features(), found).rows.height == 300
    # The newest label is an hour before the newest row, and the 25 days before it hold 301 even keys.
    monkeypatch.setattr(size, "free_memory", lambda: estimated_bytes(400, ROWS.dtypes))
    all_of_it = document.model_copy(update={"max_rows": None})
    assert training_rows(rows.lazy(), all_of_it, features()).height == 301
    with pytest.raises(TrainingError, match="set max_rows to 320 or fewer"):
        training_rows(rows.lazy(), all_of_it.model_copy(update={"training_window": None}), features())


@pytest.mark.parametrize("time", [pl.col("time").dt.to_string("%Y"), pl.col("id")])
def test_a_time_that_is_none_is_refused_before_anything_is_fitted(time: pl.Expr) -> None:
    with pytest.raises(TrainingError, match=r"timestamp_column: 'time' is (String|Int64), no date and no instant"):
        fit(NARROW, features(), ROWS.with_columns(time=time))


@pytest.mark.parametrize(
    ("kinds", "files"),
    [
        ("", {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 400\ninactive_file 200"}),
        (
            "memory",
            {
                "memory.limit_in_bytes": "1000",
                "memory.usage_in_bytes": "700",
                "memory.stat": "inactive_file 9\ntotal_inactive_file 200",
            },
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_has_what_its_limit_leaves_and_pages_that_can_be_given_back(
    tmp_path: Path, kinds: str, files: dict[str, str]
) -> None:
    group = tmp_path / "groups" / kinds / "outer" / "inner"
    group.mkdir(parents=True)
    for name, text in files.items():
        (group.parent / name).write_text(text)
    (group / "memory.max").write_text("max\n")
    told = tmp_path / "cgroup"
    told.write_text(f"3:cpuset:/elsewhere\n4:{kinds}:/outer/inner\n")
    assert list(left_in_groups(own_groups(told, tmp_path / "groups"))) == [500]
    assert list(left_in_groups(own_groups(tmp_path / "none"))) == []
    assert free_memory() > 0
