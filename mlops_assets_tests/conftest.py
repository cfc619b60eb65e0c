"""What every test shares: a home of its own, and a last line that names what could not run here and why."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from mlops_assets_tests.mlflow_databases import migrate_once
from mlops_assets_tests.redis_server import redis_server
from mlops_assets_tests.spark_session import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEEDS = {"spark": ("java", "Java is not installed"), "browser": ("chromium", "Chromium is not installed")}
# For the minutes that a test's JVM lives, compiling better costs more than it saves; what is compiled (40 MB after
# three tests of tables) must have room beyond the 48 MB there would be, or it is thrown away and compiled again.
JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
# The files that take minutes, the longest first: begun last, one would keep one worker busy while the others are idle.
LONGEST = (
    *("test_flights_year.py", "ui/test_dagster_ui.py", "test_left_alone.py", "test_engines.py", "test_platforms.py"),
    *("deploy/test_dagster_dev.py", "lake/test_clusters.py", "test_flights_on_databricks.py", "docs/test_tutorial.py"),
)
_skipped: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """MLOPS_HOME in the test's own folder, so that none reads what another or a person left."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLOPS_HOME", str(tmp_path / "home"))
        environment.delenv("DAGSTER_HOME", raising=False)
        yield tmp_path / "home"


@pytest.fixture(scope="module")
def spark() -> "SparkSession":
    return session()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server of these tests' own."""
    with redis_server() as url:
        yield url


def pytest_configure(config: pytest.Config) -> None:
    # Models and dashboards of tests are nobody's to count.
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("JAVA_TOOL_OPTIONS", JVM)
    # The same examples on every machine, and none that fails because the machine was busy.
    settings.register_profile("everywhere", derandomize=True, deadline=None)
    settings.load_profile("everywhere")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    migrate_once()
    for marker, (program, reason) in NEEDS.items():
        if item.get_closest_marker(marker) and shutil.which(program) is None:
            pytest.skip(reason)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        told = "; ".join(f"{count} tests: {reason}" for reason, count in sorted(_skipped.items()))
        print(f"\nSkipped here: {told}" if told else "\nNothing was skipped here.")
