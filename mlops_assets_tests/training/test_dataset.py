import polars as pl
import pytest

from mlops_assets.features.errors import FeatureError
from mlops_assets.features.table import feature_frame
from mlops_assets.training import dataset
from mlops_assets.training.dataset import training_frame
from mlops_assets.training.errors import TrainingError
from mlops_assets_tests.training.documents import features, training, two_clouds

SOURCE = two_clouds(50).with_columns(weight=pl.col("id") * 2.0)


def test_label_and_weights_come_from_the_source_row_of_the_same_key() -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {}).reverse()
    document = training(["x0"], sample_weight_column="weight")
    found = training_frame(table, SOURCE.sample(fraction=1.0, shuffle=True, seed=1).lazy(), document, config)
    assert found.equals(SOURCE.select("id", "time", "x0", "label", "weight"))


def test_a_feature_the_table_leaves_out_is_taken_from_its_source() -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {})
    found = training_frame(table, SOURCE.lazy(), training(["x0", "x2"]), config)
    assert found["x2"].equals(SOURCE["x2"])


def test_a_row_whose_label_has_not_arrived_has_none() -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {})
    found = training_frame(table, SOURCE.head(30).lazy(), training(["x0"]), config)
    assert found.height == 50
    assert found["label"].null_count() == 20


def test_a_target_that_nobody_has_is_named_with_the_nearest() -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {})
    with pytest.raises(FeatureError, match=r"no column 'lable'; did you mean 'label'\?"):
        training_frame(table, SOURCE.lazy(), training(["x0"], target_column="lable"), config)


def test_clusters_need_no_target_in_any_table() -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {})
    document = training(["x0"], target_column="nobody_knows", model_type="clustering")
    assert training_frame(table, SOURCE.lazy(), document, config).columns == ["id", "time", "x0"]


def test_a_training_set_that_memory_would_not_hold_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = features(features=["x0"])
    table = feature_frame(SOURCE.lazy(), config, {})
    monkeypatch.setattr(dataset, "free_memory", lambda: 10_000)
    with pytest.raises(TrainingError, match=r"feature_columns: 50 rows of 4 columns take about .* take fewer"):
        training_frame(table, SOURCE.lazy(), training(["x0"]), config)
