from typing import Any

import dagster as dg
import pytest
from pydantic import Field, ValidationError

from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.config import TrainingConfig

DOCUMENT = TrainingConfig.model_validate(
    {
        "model_type": "classification",
        "target_column": "late",
        "feature_columns": ["a"],
        "hyperparameters": {"max_depth": 3},
        "experiment_name": "e",
        "registry_model_name": "m",
    }
)


def chosen(**values: Any) -> Any:
    fields = ["hyperparameters", "split_ratios", "algorithm"]
    return launch_config("train", DOCUMENT, fields, again=(bool, Field(default=False)))(**values)


def test_the_launchpad_starts_from_the_document_and_changes_nothing_by_itself() -> None:
    assert chosen().hyperparameters == {"max_depth": 3}
    assert with_launch_config(DOCUMENT, chosen()) == DOCUMENT


def test_what_a_person_chooses_holds_for_the_run() -> None:
    assert with_launch_config(DOCUMENT, chosen(hyperparameters={"max_depth": 9})).hyperparameters == {"max_depth": 9}


def test_a_value_that_the_document_could_not_have_is_refused_before_anything_runs() -> None:
    with pytest.raises(dg.Failure, match=r"sum to 0\.9, not 1"):
        with_launch_config(DOCUMENT, chosen(split_ratios=[0.5, 0.4]))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_dept"):
        chosen(max_dept=3)
