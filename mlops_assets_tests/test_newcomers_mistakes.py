"""What a newcomer gets wrong in the first hour, and the one sentence that helps."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mlops_assets.cli.commands import main
from mlops_assets.cli.demo import INTERRUPTED
from mlops_assets.config import load_project
from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.spark.session import open_session
from mlops_assets.serving.__main__ import main as serving
from mlops_assets.serving.gateway.__main__ import main as gateway
from mlops_assets.serving.gateway_process import address
from mlops_assets_tests.flights import flights_in
from mlops_assets_tests.ui.served import waited_for

ROOT = Path(__file__).parents[1]


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the flights example, and is the current one's `configs`."""
    shutil.copytree(ROOT / "configs" / "flights", tmp_path / "configs" / "flights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLOPS_CONFIGS", raising=False)
    return tmp_path / "configs"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def told(result: Result) -> list[str]:
    """The lines of an error; a traceback is none."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output.splitlines()


@pytest.mark.parametrize(
    ("file", "right", "wrong", "sentence"),
    [
        ("pipeline.yaml", "environment:", "  environment:", "has it inside 'tags': is it indented too far?"),
        ("pipeline.yaml", "  domain:", "\tdomain:", "a tab indents this line; indent with spaces"),
        ("pipeline.yaml", "owner:", "onwer:", "onwer: unknown field, did you mean 'owner'?"),
        ("pipeline.yaml", "timeout_minutes: 30", "timeout_minutes: soon", "timeout_minutes: a whole number is needed"),
        ("pipeline.yaml", "America/New_York", "America/NewYork", "did you mean 'America/New_York'?"),
        ("pipeline.yaml", '"0 6 1 * *"', '"0 6"', "cron has five: minute hour day month weekday"),
        ("pipeline.yaml", "environment: development", "environment: test", "unknown environment 'test'"),
        (
            "features.yaml",
            "source_table: main.nyc.flights",
            "source_table: main.nyc.flihgts",
            "did you mean 'flights'?",
        ),
        ("data/flights.yaml", "format: csv", "format: cvs", "csv"),
        ("data/planes.yaml", '"seats > 0"', '"seats = 0"', "write '=='"),
        ("data/planes.yaml", '"seats > 0"', '"seat > 0"', "did you mean 'seats'?"),
        ("data/planes.yaml", "source_path: ", "source_path: *", "a text that starts with * or & needs quotes"),
        ("data/planes.yaml", '"dbfs:/landing', '"dbfs:/${NOWHERE}', "environment variable 'NOWHERE' is not set"),
        ("training.yaml", "max_iter: 100", "max_itre: 100", "did you mean 'max_iter'?"),
        ("training.yaml", "- hour", "- hours", "did you mean 'hour'?"),
        ("training.yaml", "target_column: late", "", "target_column"),
        ("training.yaml", "target_column: late", "target_column: hour", "'hour' is among the feature_columns"),
        ("deployment/staging.yaml", "flight-delay-staging", "flight-delay", "endpoint 'flight-delay' is there twice"),
        ("data/planes.yaml", "main.nyc.planes", "main.nyc.airports", "table 'silver/airports' is there twice"),
        ("pipeline.yaml", "  domain:", "\u00a0 domain:", "a space before 'domain' is no plain one; type it again"),
        ("pipeline.yaml", "owner: ", "owner:", "pipeline.yaml:4:1: is no YAML: could not find expected ':'; a field"),
        ("pipeline.yaml", "owner: ", "owner: *", "no value above is marked with &"),
        ("features.yaml", "[month]", "month", "partition_columns: a list is needed; write [month]"),
        ("features.yaml", "- day_of_week", "- day_of_weak", "has no column 'day_of_weak'; did you mean 'day_of_week'?"),
        ("data/planes.yaml", "rules:\n", "rules:\n  -\n", "validation_rules.0: must not be empty"),
    ],
)
def test_a_mistake_in_a_document_is_one_sentence_with_its_place(
    configs: Path, file: str, right: str, wrong: str, sentence: str
) -> None:
    path = configs / "flights" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    lines = told(run("check"))
    helpful = [line for line in lines if sentence in line]
    assert helpful, "\n".join(lines)
    assert any(re.match(rf"configs/flights/{file}:\d+:\d+: ", line) for line in lines)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("embedded.yaml", "configs/platforms/embedded.yaml:2:1: gatway: unknown field, did you mean 'gateway'?"),
        (
            "embeded.yaml",
            "configs/platforms/embeded.yaml:1:1: no platform is called 'embeded'; did you mean 'embedded'?",
        ),
    ],
)
def test_a_mistake_in_a_platform_document_is_told(configs: Path, file: str, sentence: str) -> None:
    (configs / "platforms").mkdir()
    (configs / "platforms" / file).write_text("name: embedded\ngatway: {port: 1}\n")
    assert told(run("check")) == [sentence]


def test_two_projects_with_one_name_are_told_with_both_places(configs: Path) -> None:
    other = configs / "more" / "pipeline.yaml"
    other.parent.mkdir()
    other.write_text("name: flights\nowner: me\nenvironment: dev\n")
    (line,) = told(run("check"))
    assert line == "configs/more/pipeline.yaml:1:7: name: pipeline 'flights' is there twice; the first is " + (
        "configs/flights/pipeline.yaml:2"
    )


def test_pipelines_that_wait_for_each_other_are_told_as_a_chain(configs: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (configs / name).mkdir()
        text = f"name: {name}\nowner: me\nenvironment: dev\ndependencies: [{other}]\n"
        (configs / name / "pipeline.yaml").write_text(text)
    (line,) = told(run("check"))
    assert "pipelines wait for each other: 'one' waits for 'two' waits for 'one'" in line


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / "pipeline.yaml").unlink(), "no project"),
        (lambda folder: (folder / "notes.yaml").write_text("a: 1\n"), "which kind of document is this?"),
        (lambda folder: (folder / "more.data.yaml").write_text("\n"), "this data document is empty"),
        (lambda folder: folder.rename(folder.with_name("my-flights")), "'my-flights' is no project name"),
    ],
)
def test_a_folder_that_is_no_project_is_told(
    configs: Path, change: object, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(configs / "flights")  # type: ignore[operator]
    assert sentence in run("check").output + caplog.text


def test_the_wrong_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "cofigs"))
    (line,) = told(run("check"))
    assert line.endswith("there is no such folder of projects; MLOPS_CONFIGS names the folder")


def test_a_missing_data_file_is_told_with_what_lies_there(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "planes.csv").write_text("a\n1\n")
    config = load_project(configs / "flights").data[0].config
    with pytest.raises(LakeError, match=r"no csv file at .*palnes.csv; .*data holds planes.csv.*did you mean"):
        ingest(config, str(tmp_path / "data" / "palnes.csv"), str(tmp_path / "bronze"), POLARS)


@pytest.mark.parametrize("place", ["a.csv", "", "*.csv"])
def test_a_source_whose_format_nobody_named_is_told_with_it(configs: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("carrier,name\n")
    config = load_project(configs / "flights").data[0].config.model_copy(update={"format": "delta"})
    with pytest.raises(LakeError, match=r"no Delta table at .*; it holds csv files: say `format: csv`"):
        ingest(config, str(tmp_path / "data" / place), str(tmp_path / "bronze"), POLARS)


def test_a_file_with_another_delimiter_is_told(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("carrier;name\nUA;United\n")
    config = load_project(configs / "flights").data[0].config
    with pytest.raises(LakeError, match="no column 'carrier', which the document declares"):
        ingest(config, str(tmp_path / "a.csv"), str(tmp_path / "bronze"), POLARS)


@pytest.mark.parametrize("command", [("ui",), ("demo",)])
def test_a_home_that_cannot_be_written_is_told(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "file" / "home"))
    (line,) = told(run(*command))
    assert "nothing can be written to" in line
    assert line.endswith("set it to a folder of yours")


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        (gateway, [], "nothing can be written to .*: Not a directory; set MLOPS_HOME to a folder of yours"),
        (gateway, ["--port", "70000"], "70000 is not in the range 0<=x<=65535"),
        (serving, ["status"], "no gateway runs in"),
        (main, ["ui", "--port", "70000"], "70000 is not in the range 1<=x<=65535"),
    ],
)
def test_a_home_that_is_a_file_and_a_port_that_is_none_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: click.Command, words: list[str], sentence: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(command, words)
    assert isinstance(result.exception, SystemExit)
    assert re.search(sentence, result.output)


def test_a_port_in_use_is_told_before_anything_starts(configs: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert told(run("ui", "--port", str(port))) == [
            f"Port {port} cannot be used: Address already in use. Name another with --port."
        ]
    assert address(home) is None


def test_an_old_python_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "setup", f"PYTHON={old}", f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.strip() == "Python 3.11 or newer is needed: make setup PYTHON=python3.11"


def test_what_a_killed_gateway_left_behind_does_not_stand_in_the_way(home: Path) -> None:
    home.mkdir()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = {"pid": int(gone.stdout), "host": "127.0.0.1", "port": 8787, "started": 1.0}
    for file in (home / "gateway.json", home / "gateway" / "address.json"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(left))
    assert address(home) is None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("MLOPS_PLATFORM", "sprak", "MLOPS_PLATFORM is 'sprak'; this version runs on"),
        ("MLOPS_HOME", __file__, f"MLOPS_HOME: nothing can be written to {__file__}: a file is in the way; set it to"),
    ],
)
def test_an_environment_that_cannot_work_is_told_when_dagster_loads_the_definitions(
    configs: Path, variable: str, value: str, sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mlops_assets.definitions"],
        env={**os.environ, variable: value, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sentence in done.stderr.splitlines()[-1]


def test_a_machine_without_java_is_told_what_spark_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LakeError, match=r"there is no java on this machine, .* install Java 17, .*embedded"):
        open_session(SparkConfig())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(LakeError, match="there is no java in JAVA_HOME, "):
        open_session(SparkConfig())


@pytest.mark.slow
def test_a_first_run_that_is_interrupted_says_that_nothing_is_lost_and_the_next_goes_on(
    configs: Path, home: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLOPS_HOME": str(home), "FLIGHTS_THROUGH": "2013-01"}
    bronze, silver = (str(home / "warehouse" / "flights" / layer / "airports") for layer in ("bronze", "silver"))
    with (tmp_path / "demo.log").open("wb") as log:
        demo = subprocess.Popen(
            [sys.executable, "-m", "mlops_assets", "demo"], env=environment, stdout=log, stderr=log, cwd=tmp_path
        )
        waited_for(lambda: delta.exists(bronze) or None)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(120) == INTERRUPTED
    assert "Stopped. Nothing is lost: make demo goes on where it was." in (tmp_path / "demo.log").read_text()
    with flights_in(home, configs / "flights") as flights:
        assert flights.run("pipeline").success
    assert delta.rows(bronze) == delta.rows(silver) + delta.rows(f"{silver}_quarantine")
    assert delta.rows(bronze) == len(set(delta.scan(bronze).select("_row_id").collect()["_row_id"]))
