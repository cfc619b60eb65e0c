import re

import pytest
from pydantic import ValidationError
from sklearn.metrics import get_scorer_names

from mlops_assets.config import MonitoringConfig
from mlops_assets.config.metric_names import is_model_metric
from mlops_assets.config.pipeline import check_cron

NOT_FOR_TABLES = {name for name in get_scorer_names() if name.endswith("_samples")}


def test_every_scorer_of_scikit_learn_is_a_known_metric() -> None:
    assert [name for name in set(get_scorer_names()) - NOT_FOR_TABLES if not is_model_metric(name)] == [
        name for name in get_scorer_names() if name == "neg_negative_likelihood_ratio"
    ]


@pytest.mark.parametrize("name", ["model_accuracy", "accuracy", "model_f1_score", "rmse", "data_quality"])
def test_a_monitors_metric_may_have_the_prefix(name: str) -> None:
    assert MonitoringConfig(metrics=[name]).metrics == [name]


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValidationError, match="unknown metric 'model_drift'"):
        MonitoringConfig(metrics=["model_drift"])


@pytest.mark.parametrize(
    "line",
    [
        "0 3 * * *",
        "*/15 0-6,22 1 JAN-mar mon",
        "0 0 L * 7",
        "@daily",
        "5/10 * * * *",
        "0 0 * * 1-5/2",
        "0 0 29 2 *",
        "0 0 31 4,5 *",
    ],
)
def test_a_cron_line_is_read(line: str) -> None:
    assert check_cron(line) == line


@pytest.mark.parametrize(
    "line", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *"]
)
def test_what_is_no_cron_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        check_cron(line)


@pytest.mark.parametrize("line", ["0 6 31 2 *", "0 6 30 feb *", "0 6 31 4,sep *"])
def test_a_day_that_never_comes_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=f"'{re.escape(line)}' never comes: there is no day 3"):
        check_cron(line)


@pytest.mark.parametrize("line", ["a * * * *", "5-1 * * * *", "0 0 ? * *", "1,,2 * * * *", "0 3 * * * *", "- * * * *"])
def test_other_dialects_and_slips_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        check_cron(line)
