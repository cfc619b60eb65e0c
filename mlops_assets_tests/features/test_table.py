from datetime import UTC, datetime

import polars as pl
import pytest

from mlops_assets.config import FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.table import duplicate_keys, feature_frame, null_keys

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def config(**fields: object) -> FeatureConfig:
    given = {
        "source_table": "silver",
        "feature_table_name": "features",
        "primary_keys": ["id"],
        "features": [],
        "timestamp_column": "time",
    }
    return FeatureConfig.model_validate({**given, **fields})


SOURCE = pl.DataFrame(
    {
        "_row_id": ["x", "y"],
        "value": [1.0, float("nan")],
        "id": [1, 2],
        "time": [NOW, NOW],
        "region": ["a", "b"],
    }
)


def test_no_features_means_every_column_but_the_lakes_own() -> None:
    found = feature_frame(SOURCE.lazy(), config(), {}).collect()
    assert found.columns == ["id", "time", "value", "region"]
    assert found["value"].to_list() == [1.0, None]


def test_keys_time_features_and_partitions_stand_there_once() -> None:
    found = feature_frame(SOURCE.lazy(), config(features=["value", "id"], partition_columns=["region"]), {})
    assert found.collect().columns == ["id", "time", "value", "region"]


def test_a_missing_feature_is_named_with_the_nearest_column() -> None:
    with pytest.raises(FeatureError, match=r"no column 'vlaue'; did you mean 'value'\?"):
        feature_frame(SOURCE.lazy(), config(features=["vlaue"]), {})


def test_repeated_and_null_primary_keys_are_counted() -> None:
    rows = pl.LazyFrame({"id": [1, 1, 2, None, 1]})
    assert duplicate_keys(rows, config()) == 2
    assert null_keys(rows, config()) == 1
