import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring import charts, panels, tiles
from mlops_assets.monitoring.alarm import Alarm
from mlops_assets.monitoring.dashboard import Announcement, DashboardData, Retraining, distribution, render
from mlops_assets.monitoring.error_stream import Change
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.quality import Quality
from mlops_assets.monitoring.verdict import FeatureDrift

EVIL = "<script>alert('x')</script>\"&"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Open tags, attributes and text; fails where a tag is closed that is not the last open one."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def measured(window, value, version="1", coverage=1.0, name="roc_auc"):
    interval = (None, None) if value is None else (value - 0.01, value + 0.02)
    metrics = (MetricValue(name, value, *interval, reason="no labelled rows" if value is None else None),)
    return WindowPerformance(window, version, 1000, int(1000 * coverage), metrics)


def judged(feature, effect, verdict="ok"):
    return FeatureDrift(feature, "psi", effect, 0.001, 0.002, effect, effect, effect, 0.05, verdict, 1000)


def profiles():
    random = np.random.default_rng(0)
    reference = pl.DataFrame({"temp": random.normal(size=2000), EVIL: random.choice([EVIL, "b"], 2000)})
    fitted = fit_reference(reference, reference.columns)
    return fitted.profile, summarise(reference.with_columns(temp=pl.col("temp") + 1), fitted)


def announced(window, text, kind="alarm"):
    reasons = (f"{text} severe: psi 0.300", "b", "c", "d")
    return Announcement(
        datetime(2013, 7, 1, tzinfo=UTC), kind, window, text, "drift", reasons, {text: "failed: " + text}
    )


def data(text="flights", **changes):
    windows = [f"{text}-{month}" for month in range(4, 10)]
    reference, current = profiles()
    whole = {
        "title": text,
        "as_of": datetime(2013, 12, 31, tzinfo=UTC),
        "windows": windows,
        "metric": "roc_auc",
        "drift": {window: [judged("temp", 0.3, "severe"), judged(text, 0.01)] for window in windows[:-1]},
        "distributions": [distribution(name, windows[-1], reference, current) for name in ("temp", EVIL)],
        "performance": [measured(window, 0.75, text) for window in windows[:-1]]
        + [measured(windows[-1], None, coverage=0)],
        "baseline": [measured(window, 0.70) for window in windows[:-1]],
        "retrainings": [Retraining(windows[2], text, text, text, False, {text: 0.5})],
        "threshold": 0.68,
        "alarm": Alarm(True, True, text, text, (text,), 2.0),
        "alerts": [announced(windows[2], text), announced(windows[3], text, kind="recovery")],
        "quality": {windows[0]: [Quality("nulls", text, 0.4, 0.1, 0.15, "failed")]},
    }
    return DashboardData(**(whole | changes))


def test_the_page_is_well_formed_and_loads_nothing():
    html = render(data())
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "srcset", "onclick", "onload"} & {name for name, _ in page.attributes}
    assert not any(token in html for token in ("http://", "https://", "url(", "@import"))


def test_everything_a_user_named_is_escaped():
    html = render(data(EVIL))
    page = Page(html)
    assert "script" not in page.tags
    assert page.open == []
    assert "<script" not in html
    assert "".join(page.text).count("alert('x')") > 10


def test_the_page_serves_light_dark_phone_and_print():
    html = render(data())
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert "@media (max-width" in html
    assert 'name="viewport"' in html


def test_the_same_data_is_the_same_page():
    assert render(data()) == render(data())


def test_a_project_of_its_first_day_has_a_page():
    html = render(DashboardData("new", datetime(2013, 1, 1, tzinfo=UTC), [], "roc_auc"))
    assert Page(html).open == []
    assert "No labels have arrived yet." in html
    assert "No window has been profiled yet." in html


def test_alerts_stand_on_the_axis_of_time_and_in_a_table_with_what_was_told():
    text = "".join(Page(render(data()).split("</head>")[1].replace("</html>", "")).text)
    assert text.count("●") == text.count("○") == 2
    for shown in ("flights severe: psi 0.300", "and 1 more", "failed: flights", "○ over"):
        assert shown in text
    unsent = replace(announced("flights-6", "v1"), deliveries={})
    assert "nobody: no channel" in render(data(alerts=[unsent]))


def test_where_errors_rose_stands_on_the_axis_of_time_and_in_words():
    rise = Change("adwin", datetime(2013, 6, 3, 9, tzinfo=UTC), "flights-6", 0.1, 0.25)
    page = Page(render(data(changes=[rise])))
    assert page.text.count("◆") == 1
    assert "flights-6: adwin: errors rose from 0.1 to 0.25 at 2013-06-03 09:00" in page.text
    assert "◆" not in render(data())


def test_a_gain_within_the_interval_is_neither_good_nor_bad():
    first, second = {"a": measured("a", 0.7081)}, {"a": measured("a", 0.7072)}
    (tile,) = [tile for tile in tiles.tiles(["a"], first, second, "roc_auc", {}) if tile.name.startswith("Against")]
    assert (tile.value, tile.tone) == ("+0.001", "plain")


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400], ids=["phone", "desk"])
def test_a_browser_shows_every_heading_and_nothing_is_wider_than_the_screen(tmp_path, width):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    page = tmp_path / "page.html"
    # The window's size is that of an inner frame: headless Chromium has no window narrower than 500.
    probe = (
        "<script>onload=()=>{const d=document.querySelector('iframe').contentDocument,r=d.documentElement;"
        "document.title=[r.scrollWidth<=r.clientWidth,r.clientWidth,...[...d.querySelectorAll('h1,h2')]"
        ".filter(h=>h.getBoundingClientRect().height>0).map(h=>h.textContent)].join('|')}</script>"
    )
    page.write_text(render(data()), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(f"<title>-</title><iframe src='page.html' style='width:{width}px;height:900px'></iframe>{probe}")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--window-size=1600,1000"]
    profile = f"--user-data-dir={tmp_path}/profile"
    command = [browser, *flags, profile, "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    fits, _, *headings = shown.split("<title>")[1].split("</title>")[0].split("|")
    assert headings == [
        *("flights", "Performance", "Drift of the inputs", "Data quality", "What moved", "Alerts", "Versions")
    ]
    assert fits == "true"


@pytest.mark.slow
def test_printed_on_a4_nothing_is_cut_off_and_colours_are_those_of_paper(tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(render(data()), encoding="utf-8")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 794, "height": 1123}, color_scheme="dark")
        page.emulate_media(media="print", color_scheme="dark")
        page.goto((tmp_path / "page.html").as_uri())
        width, paper = page.evaluate(
            "[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
        )
        wide = page.evaluate(
            "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).length"
        )
        pdf = page.pdf(format="A4", print_background=True)
        opened.close()
    assert (width, paper, wide) == (794, "rgb(255, 255, 255)", 0)
    assert pdf.startswith(b"%PDF")


def test_features_that_are_stable_throughout_are_folded():
    shown = render(data())
    assert "1 feature is stable in every window" in shown
    assert "0 features" not in shown
    calm = render(data(drift={"flights-4": [judged("temp", 0.001)]}))
    assert "<details open>" in calm


def test_a_failed_look_at_the_data_is_a_cell_with_its_share_and_its_sentence():
    (check, cells), *_ = panels.quality_map(["a", "b"], {"a": [Quality("nulls", "x", 0.4, 0.1, 0.15, "failed")]})
    assert check == "nulls"
    assert (cells[0].tone, cells[0].text) == ("severe", "40%")
    assert cells[0].title == "a: nulls of x: 40.0% of the rows, usually 10.0%"
    assert cells[1].tone == "none"


def test_gains_lie_on_one_scale_with_zero_in_the_middle():
    versions = [
        Retraining("a", "2", "", "", True, {"gain": 0.02, "low": 0.01, "high": 0.04}),
        Retraining("b", "3", "", "", False, {"gain": 0.0, "low": -0.01, "high": 0.01}),
        Retraining("c", "4", "", "", False, {}),
    ]
    found = panels.gains(versions)
    assert set(found) == {"2", "3"}
    assert (found["2"].high, found["3"].at, found["3"].low) == (100.0, 50.0, 37.5)
    assert found["2"].text == "+0.0200 (+0.0100 to +0.0400)"


def test_a_sensitive_features_bins_are_numbered_and_hold_no_value():
    reference, current = profiles()
    shown = distribution("temp", "w", reference, current, masked=True)
    assert set(shown.labels) <= {*(f"bin {index}" for index in range(1, 20)), "null", "unseen", "other"}
    levels = distribution(EVIL, "w", reference, current, masked=True)
    assert EVIL not in levels.labels


def test_only_the_last_sixty_windows_are_drawn():
    windows = [f"day {index:03}" for index in range(100)]
    html = render(data(windows=windows, performance=[measured(one, 0.7) for one in windows], drift={}, baseline=[]))
    assert "day 040" in html
    assert "day 039" not in html


def test_a_line_is_broken_where_there_is_no_value():
    windows = list("abcde")
    values = [0.7, 0.8, None, 0.75, 0.72]
    champion = {window: measured(window, value) for window, value in zip(windows, values, strict=True)}
    chart = charts.line_chart(windows, champion, {}, "roc_auc", None)
    assert chart.champion.count("M") == 2
    assert chart.interval.count("Z") == 2
    assert [x for x, _ in chart.champion_points] == [0.5, 1.5, 3.5, 4.5]
    assert chart.baseline == ""


def test_higher_values_lie_higher_and_all_within_the_drawing():
    windows = list("abc")
    champion = {window: measured(window, value) for window, value in zip(windows, (0.6, 0.7, 0.8), strict=True)}
    chart = charts.line_chart(windows, champion, {}, "roc_auc", 0.5)
    heights = [y for _, y in chart.champion_points]
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= y <= 100 for y in (*heights, chart.threshold, *(tick.at for tick in chart.ticks)))
    assert 3 <= len(chart.ticks) <= 6


def test_an_estimate_is_a_line_of_its_own():
    estimated = measured("a", 0.7, name="estimated_roc_auc")
    chart = charts.line_chart(["a"], {"a": estimated}, {}, "roc_auc", None)
    assert (chart.estimate != "", chart.champion) == (True, "")
    assert "estimated without labels" in render(
        data(performance=[measured("flights-4", 0.7, name="estimated_roc_auc")])
    )
    assert "estimated without labels" not in render(data())


def test_a_flat_line_has_a_scale():
    chart = charts.line_chart(["a"], {"a": measured("a", 0.0)}, {}, "roc_auc", None)
    assert 0 <= chart.champion_points[0][1] <= 100


def test_features_are_ranked_by_their_worst_drift():
    drift = {
        "a": [judged("steady", 0.001), judged("worst", 0.9, "severe"), judged("loud but unsure", 2.0)],
        "b": [judged("later", 0.06, "drift"), judged("few", 9.0, "insufficient_data")],
    }
    rows = panels.heat_map(["a", "b"], drift)
    assert [feature for feature, _ in rows] == ["worst", "later", "loud but unsure", "steady", "few"]
    tones = {feature: [cell.tone for cell in cells] for feature, cells in rows}
    assert tones["worst"] == ["severe", "none"]
    assert tones["later"] == ["none", "drift"]
    assert tones["few"] == ["none", "unknown"]
    assert rows[0][1][0].text == ".90"


def test_a_distribution_adds_up_to_one_on_both_sides():
    for feature in ("temp", EVIL):
        found = distribution(feature, "w", *profiles())
        assert (sum(found.reference), sum(found.current)) == (pytest.approx(1), pytest.approx(1))
        assert len(found.labels) == len(found.reference) == len(found.current)


def test_the_bin_of_a_spike_is_named_by_its_value():
    frame = pl.DataFrame({"rain": [0.0] * 90 + [float(value) for value in range(1, 11)]})
    fitted = fit_reference(frame, ["rain"])
    found = distribution("rain", "w", fitted.profile, fitted.profile)
    assert found.labels[0] == "0"
    assert found.reference[0] == pytest.approx(0.9)


def test_levels_beyond_nine_are_drawn_as_other():
    frame = pl.DataFrame({"dest": [f"d{index:02}" for index in range(30) for _ in range(index + 1)]})
    fitted = fit_reference(frame, ["dest"])
    found = distribution("dest", "w", fitted.profile, fitted.profile)
    assert found.labels == (*(f"d{index}" for index in range(29, 20, -1)), "other")
    assert sum(found.current) == pytest.approx(1)


def test_times_are_named_as_times():
    times = pl.datetime_range(datetime(2013, 1, 1), datetime(2013, 12, 31), "1d", eager=True)
    fitted = fit_reference(pl.DataFrame({"at": times}), ["at"])
    assert distribution("at", "w", fitted.profile, fitted.profile).labels[0].startswith("≤ 2013-02-06")


@pytest.mark.parametrize(
    ("metric", "champion", "baseline", "tone"),
    [("roc_auc", 0.8, 0.7, "good"), ("roc_auc", 0.7, 0.8, "bad"), ("log_loss", 0.4, 0.5, "good")],
)
def test_the_gain_over_the_baseline_knows_which_way_is_better(metric, champion, baseline, tone):
    first, second = ({"a": measured("a", value, name=metric)} for value in (champion, baseline))
    found = tiles.tiles(["a"], first, second, metric, {})
    assert [tile.tone for tile in found if tile.name == "Against the baseline"] == [tone]


def test_a_window_with_too_few_rows_is_not_reported_as_free_of_drift():
    drift = {"a": [judged("x", 0.3, "severe")], "b": [judged("x", 0.0, "insufficient_data")]}
    tile = tiles.tiles(["a", "b"], {}, {}, "roc_auc", drift)[0]
    assert (tile.value, tile.note, tile.tone) == ("1 of 1", "in a", "bad")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (0.7512, "0.751"),
        (-0.0123, "−0.0123"),
        (12345.6, "12,346"),
        (1e-7, "1e−07"),
    ],
)
def test_numbers_have_three_significant_digits(value, shown):
    assert charts.number(value) == shown


def test_many_windows_have_few_names():
    found = charts.ticks([str(index) for index in range(60)])
    assert len(found) == 12
    assert sum(not tick.minor for tick in found) == 4
