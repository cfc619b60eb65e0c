import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake.refine import Refined
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.steps.rule_checks import ACCOUNT, rule_checks

CONFIG = DataConfig.model_validate({"source_path": "x", "destination_path": "t"})


@pytest.mark.parametrize(
    ("done", "passed"),
    [
        (Refined(RowCount(read=3, written=2, quarantined=1)), True),
        (Refined(RowCount(read=3, written=2)), False),
        (Refined(RowCount(read=3, quarantined=2), blocked=("too many",)), True),
    ],
)
def test_the_account_fails_for_a_lost_row_and_not_for_a_run_that_moved_none(done: Refined, passed: bool) -> None:
    checks = {check.name: check for check in rule_checks(CONFIG, done)}
    assert checks[ACCOUNT].passed is passed
