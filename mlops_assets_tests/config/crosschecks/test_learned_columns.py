"""What a training document names and its type of model, its features or its source do not have."""

from collections.abc import Callable

import pytest

from mlops_assets.config import Project
from mlops_assets_tests.config import documents
from mlops_assets_tests.config.conftest import Problems
from mlops_assets_tests.config.documents import WHOLE

Load = Callable[[dict[str, str | None]], Project]

DATA = documents.DATA + (
    "columns: {id: int, at: datetime, hour: int, carrier: string, distance: float, late: bool, day: date}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "",
            "promotion_criteria: roc_acu > 0.7",
            "promotion_criteria.0: 'roc_acu' is no metric of classification; did",
        ),
        ("", "metrics: [rmse]", "metrics.0: 'rmse' is no metric of classification; these are: accuracy"),
        ("", "gate: {metric: rmse}", "gate.metric: 'rmse' is no metric of classification"),
        ("", "gate: {guard_metrics: {r2: 0.1}}", "gate.guard_metrics.r2: 'r2' is no metric of classification"),
        (
            "column: late",
            "column: leat",
            "target_column: 'flight_features' and 'flights' has no column 'leat'; did you ",
        ),
        (
            "",
            "slices: [carier]",
            "slices.0: 'flight_features' and 'flights' has no column 'carier'; did you mean 'carrier'?",
        ),
        ("", "sample_weight_column: distanc", "sample_weight_column: 'flight_features' and 'flights' has no column"),
        ("", "gate: {fairness: [{column: x, max_gap: 1}]}", "gate.fairness.0.column: 'flight_features' and 'flights' "),
        (
            "",
            "gate: {resample_by: dya}",
            "gate.resample_by: 'flight_features' and 'flights' has no column 'dya'; did you",
        ),
        ("", "group_column: carrier", "group_column: nothing is split by it; set split_method: grouped"),
        (
            "",
            "split_ratios: [1.0, 0.0, 0.0]",
            "split_ratios: no rows are left to judge the model on; such as [0.8, 0.2]",
        ),
    ],
)
def test_a_training_document_that_would_fail_after_its_fit_is_refused(
    problems: Problems, old: str, new: str, problem: str
) -> None:
    training = documents.TRAINING.replace(old, new) if old else documents.TRAINING + new + "\n"
    found = problems({**WHOLE, "data.yaml": DATA, "training.yaml": training})
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("aggregate", "problem"),
    [
        (
            "{column: distanc, functions: [sum], windows: [1d], by: [carrier]}",
            "aggregates.0.column: 'flights' has no column",
        ),
        (
            "{column: hour, functions: [sum], windows: [1d], by: [carrierr]}",
            "aggregates.0.by.0: 'flights' has no column",
        ),
        ("{column: hour, functions: [sum, sum], windows: [1d], by: [carrier]}", "functions: 'sum' is there twice"),
        ("{column: hour, functions: [sum], windows: [2d, 48h], by: [carrier]}", "windows: 2d is there twice"),
    ],
)
def test_an_aggregate_that_cannot_be_made_is_refused(problems: Problems, aggregate: str, problem: str) -> None:
    features = documents.FEATURES + f"aggregates: [{aggregate}]\n"
    found = problems({**WHOLE, "data.yaml": DATA, "features.yaml": features})
    assert any(problem in line for line in found), found


def test_columns_that_may_be_there_are_none_that_are_missing(load: Load) -> None:
    training = documents.TRAINING.replace("target_column: late", "target_column: came_late") + (
        "promotion_criteria: f1_score > 0.1 and neg_log_loss > -5\n"
    )
    more = {**WHOLE, "training.yaml": training}
    for data in (documents.DATA, DATA + "schema_evolution: add\n"):
        assert load({**more, "data.yaml": data}).warnings == ()
    slices = documents.TRAINING + "slices: [is_current, _source_file]\n"
    history = DATA + "write_mode: scd2\nprimary_keys: [id]\n"
    assert load({**WHOLE, "data.yaml": history, "training.yaml": slices}).warnings == ()
