"""A browser on the UI of the flights project, and the folder that the documentation's pictures are made in."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from mlops_assets_tests.ui.served import Served, served

expect.set_options(timeout=60_000)


@pytest.fixture(scope="package")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("flights") / "home") as project:
        yield project


@pytest.fixture
def page(flights: Served) -> Iterator[Page]:
    """A window of 1500 by 1000 points on the Dagster UI."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1500, "height": 1000}, base_url=flights.url)
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make pictures` names docs/images, which then has what the tests saw."""
    return Path(os.environ.get("PICTURES") or tmp_path_factory.mktemp("pictures"))
