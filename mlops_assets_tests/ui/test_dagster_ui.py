"""What a person sees and does in the Dagster UI, in a real browser on a real `mlops_assets ui`."""

import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Locator, Page, expect

from mlops_assets.config import DataConfig, load_project
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.rules import evaluate, is_table_level, parse
from mlops_assets_tests.ui.pictures import photograph, size
from mlops_assets_tests.ui.served import ROOT, Served, waited_for

pytestmark = [pytest.mark.slow, pytest.mark.browser]

GROUPS = [f"flights_{layer}" for layer in ("source", "bronze", "silver", "gold", "model", "deployment", "monitoring")]
READABLE = 4.5  # contrast of normal text, WCAG 2.2, 1.4.3
# Of each text of the graph: what it says, and the contrast of its colour with the nearest background behind it.
CONTRASTS = """
() => {
  const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const rgb = parts(getComputedStyle(e).backgroundColor);
      if (rgb.length === 3 || rgb[3] > 0.5) return rgb;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('foreignObject *')]
    .filter(e => e.childElementCount === 0 && e.textContent.trim() && e.getBoundingClientRect().height > 0)
    .map(e => {
      const [dark, bright] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => a - b);
      return [e.textContent.trim(), (bright + 0.05) / (dark + 0.05)];
    });
}
"""
# The nodes that have the colour of what was materialized.
GREEN_NODES = """
() => [...document.querySelectorAll('foreignObject *')].filter(e => {
  const [red, green, blue, alpha = 1] = (getComputedStyle(e).backgroundColor.match(/[\\d.]+/g) || []).map(Number);
  return alpha > 0.1 && green > red + 5 && green > blue;
}).length
"""


def asset(page: Page, key: str, view: str = "overview") -> None:
    page.goto(f"/assets/{key}?view={view}")
    expect(page.get_by_text("Materialize").first).to_be_visible()


def row(page: Page, name: str) -> Locator:
    """The row of a column, or of a piece of metadata."""
    return page.locator("tr").filter(has=page.get_by_text(name, exact=True))


def dialog_of(page: Page, entry: Locator) -> Locator:
    """The dialog with a table or a picture of the metadata."""
    entry.get_by_text("[Show Markdown]").click()
    return page.get_by_role("dialog")


def close(page: Page) -> None:
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def turned_on(page: Page, sensor: Locator) -> bool | None:
    """Click a sensor's switch, once more where the page was not ready for it."""
    switch = sensor.locator("input").last
    if not switch.is_checked():
        sensor.locator("label").last.click()
        page.wait_for_timeout(15_000)
    return switch.is_checked() or None


def flights_rules() -> DataConfig:
    documents = load_project(ROOT / "configs" / "flights").data
    return next(each.config for each in documents if each.name == "flights")


def failures_of_february(flights: Served) -> dict[str, int]:
    """Rows that break each row rule, counted on the table itself: no row of January or February is in quarantine."""
    silver = {
        name: delta.scan(Warehouse(flights.home).table("flights", "silver", name)).collect()
        for name in ("flights", "planes", "airports")
    }
    rows = silver["flights"].filter(pl.col("month") == 2)
    return {
        rule.name: evaluate(rule.condition, rows, table="flights", tables=silver).count(False)
        for rule in flights_rules().validation_rules
        if not is_table_level(parse(rule.condition))
    }


def test_the_graph_shows_every_layer_as_a_group_and_its_words_can_be_read(page: Page, pictures: Path) -> None:
    page.goto("/asset-groups")
    expect(page.get_by_text("flights_monitoring").first).to_be_visible()
    page.set_viewport_size({"width": 2200, "height": 1300})
    page.get_by_role("button", name="Hide navigation").click()
    page.get_by_placeholder("Jump to…").locator("xpath=following::button[1]").click()
    page.keyboard.press("Alt+KeyE")
    graph = page.locator("foreignObject")
    expect(graph.filter(has_text="flight_features").first).to_be_visible()
    contrasts = dict(page.evaluate(CONTRASTS))
    assert {*GROUPS} <= {*contrasts}
    assert {"flight_features", "training_set", "flight_delay", "production", "dashboard"} <= {*contrasts}
    assert min(contrasts.values()) >= READABLE, contrasts
    waited_for(lambda: page.evaluate(GREEN_NODES) >= 26 or None)
    photograph(page, pictures / "graph.png")


def test_kinds_are_shown_on_the_graph(page: Page) -> None:
    asset(page, "flights/silver/flights", "lineage")
    for kind in ("Bronze", "Silver", "Gold", "delta"):
        expect(page.locator("foreignObject").get_by_text(kind, exact=True).first).to_be_visible()


def test_a_tables_page_says_what_it_is_whose_its_columns_and_where_they_come_from(page: Page) -> None:
    asset(page, "flights/silver/flights")
    for text in ("One departure from New York", "aviation_analytics", "domain: aviation", "flights_silver", "Silver"):
        expect(page.get_by_text(text).first).to_be_visible()
    expect(row(page, "carrier")).to_contain_text("non-nullable")
    expect(row(page, "time_hour")).to_contain_text("timestamp")
    expect(row(page, "rows_read")).to_contain_text(re.compile(r"\d{5}"))
    for neighbour in ("flights / bronze / flights", "flights / silver / planes", "flights / gold / flight_features"):
        expect(page.get_by_text(neighbour).first).to_be_visible()


def test_every_rule_of_the_flights_is_a_check_with_its_count_and_examples(
    page: Page, flights: Served, pictures: Path
) -> None:
    failed = failures_of_february(flights)
    asset(page, "flights/silver/flights", "checks")
    for rule in flights_rules().validation_rules:
        # A long name is cut in its middle; the whole one stands beside it, unseen.
        page.get_by_text(rule.name, exact=True).first.dispatch_event("click")
        expect(page.get_by_text(rule.condition).first).to_be_visible()
        if is_table_level(parse(rule.condition)):
            expect(page.get_by_text("holds", exact=True)).to_be_visible()
            continue
        expect(row(page, "failed_rows")).to_contain_text(str(failed[rule.name]))
        if failed[rule.name]:
            examples = dialog_of(page, row(page, "examples"))
            expect(examples.locator("tbody tr").first).to_be_visible()
            close(page)
    assert len(failed) >= 15
    assert sum(count > 0 for count in failed.values()) >= 3
    page.get_by_text("plane_is_known", exact=True).first.click()
    photograph(page, pictures / "checks.png")


def test_the_models_page_has_its_metrics_its_plots_and_the_way_to_mlflow(page: Page, pictures: Path) -> None:
    asset(page, "flights/model/flight_delay")
    expect(row(page, "test_roc_auc")).to_contain_text(re.compile(r"0\.\d+"))
    expect(row(page, "mlflow").get_by_role("link").first).to_have_attribute(
        "href", re.compile("/#/experiments/.+/runs/")
    )
    for plot in ("calibration", "confusion", "importance", "precision_recall", "roc"):
        picture = dialog_of(page, row(page, plot)).locator("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 200")
        if plot == "roc":
            photograph(page, pictures / "model.png")
        close(page)
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("test_roc_auc").first).to_be_visible()


def test_the_launchpad_comes_filled_in_and_trains_with_another_hyperparameter(
    page: Page, flights: Served, pictures: Path
) -> None:
    known = flights.runs()
    asset(page, "flights/model/flight_delay")
    page.get_by_role("button", name="Materialize").locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    dialog = page.get_by_role("dialog")
    line = dialog.locator(".CodeMirror-line").filter(has_text="max_iter")
    expect(line).to_contain_text("max_iter: 100")
    photograph(page, pictures / "launchpad.png")
    line.get_by_text("100").dblclick()
    page.keyboard.type("7")
    expect(dialog.get_by_text("No errors")).to_be_visible()
    dialog.get_by_role("button", name="Materialize").click()
    flights.succeeded(known)
    registry = ModelRegistry.below(flights.home)
    trained = registry.versions("flight_delay")[-1]
    assert registry.client.get_run(trained.run_id).data.params["max_iter"] == "7"
    asset(page, "flights/model/flight_delay")
    expect(row(page, "mlflow_run")).to_contain_text(trained.run_id)


def test_the_drift_sensor_turned_on_by_its_switch_asks_for_a_training_and_the_page_of_the_monitor_shows_it(
    page: Page, flights: Served, pictures: Path
) -> None:
    known = flights.runs()
    page.goto("/automation")
    sensor = page.locator("[data-index]").filter(has_text="flights_drift_sensor")
    waited_for(lambda: turned_on(page, sensor))
    retrained = flights.succeeded(known)
    assert retrained.job_name == "flights_retrain"
    assert retrained.tags["dagster/sensor_name"] == "flights_drift_sensor"
    page.goto("/runs")
    expect(page.get_by_text("flights_retrain").first).to_be_visible()
    flights.execute("monitor", "2013-04")
    page.set_viewport_size({"width": 1100, "height": 1250})
    page.goto((flights.home / "warehouse/flights/monitoring/dashboard.html").as_uri())
    expect(page.get_by_text("never retrained").first).to_be_visible()
    photograph(page, pictures / "dashboard.png")


def test_the_documentations_pictures_are_those_that_these_tests_take(pictures: Path) -> None:
    ours = {file.name: size(file) for file in (ROOT / "docs" / "images").glob("*.png")}
    assert ours == {file.name: size(file) for file in pictures.glob("*.png")}
