from pathlib import Path

import polars as pl
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.training import size
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import fit
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
    monkeypatch.setattr(size, "_free", lambda: estimated_bytes(1_000, ROWS.dtypes))
    with pytest.raises(TrainingError, match="set max_rows to 800 or fewer"):
        training_rows(ROWS.lazy(), training(["x0"]), features())
    assert training_rows(ROWS.lazy(), NARROW, features()).height == 300


def test_equal_texts_of_a_frame_are_one_object() -> None:
    texts = pl.DataFrame({"text": ["a long text", None, "b", "a long text", None]})
    values = model_frame(texts, ["text"])["text"].tolist()
    assert values == ["a long text", None, "b", "a long text", None]
    assert values[0] is values[3]
