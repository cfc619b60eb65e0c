import logging
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_assets.config import ConfigError, Project, config_hash, load_project, load_projects
from mlops_assets_tests.config import documents
from mlops_assets_tests.config.conftest import Problems, Write

Load = Callable[[dict[str, str | None]], Project]


def test_files_are_of_the_kind_of_their_folder_or_name(load: Load) -> None:
    project = load(
        {
            "pipeline.yaml": None,
            "pipeline/air.yml": documents.PIPELINE,
            "data/flights.yaml": documents.DATA,
            "weather.data.yaml": documents.DATA.replace("flights", "weather"),
            "data/more/planes.data.yml": documents.DATA.replace("flights", "planes"),
            "features.yaml": documents.FEATURES,
            "README.md": "no document",
            ".hidden.yaml": "a: 1",
        }
    )
    assert [(each.name, each.stem) for each in project.data] == [
        ("flights", "flights"),
        ("planes", "planes"),
        ("weather", "weather"),
    ]
    assert [each.name for each in project.features] == ["flight_features"]
    assert project.name == "air"
    assert project.pipeline.stem == "air"


def test_a_file_holds_several_documents(load: Load) -> None:
    text = documents.DATA + "---\n" + documents.DATA.replace("flights", "planes")
    project = load({"data.yaml": text})
    assert [each.name for each in project.data] == ["flights", "planes"]
    assert project.data[1].line_of("source_path") == (4, 14)
    assert project.data[1].line_of(()) == (4, 1)


def test_documents_are_named_by_what_they_make(load: Load) -> None:
    project = load(documents.WHOLE)
    names = ["air", "flights", "flight_features", "late", "staging", "monitoring"]
    assert [document.name for document in project.documents] == names


def test_every_problem_of_every_file_is_told_at_once(problems: Problems) -> None:
    found = problems(
        {
            "data/flights.yaml": """\
                # yaml-language-server: $schema=../../schema/data.json
                source_path: raw
                source_pth: raw
                format: parkuet
                max_error_fraction: 2
                validation_rules:
                  - name: a
                    condition: "id is not null"
                    severty: error
                  - condition: "id > 0"
                transformation_steps:
                  - type: drop_column
                    columns: [x]
                  - type: rename_columns
                    mapings: {a: b}
                partitioning_columns: day
                reader: {header: maybe}
                """,
            "features.yaml": "a: [1\n",
            "training.yaml": documents.TRAINING.replace("[hour, distance]", "[]") + "split_ratios: [0.5, 0.4]\n",
            "feature.yaml": "a: 1\n",
            "pipeline.yaml": "owner: x\nenvironment: prd\nschedule: {cron: '0 3 * *', timezone: Europ/Zurich}\n",
        }
    )
    assert found == [
        "air/data/flights.yaml:2:1: destination_path: required field is missing",
        "air/data/flights.yaml:3:1: source_pth: unknown field, did you mean 'source_path'?",
        "air/data/flights.yaml:4:9: format: 'parkuet' is not one of 'delta', 'parquet', 'csv' or 'json'; "
        "did you mean 'parquet'?",
        "air/data/flights.yaml:5:21: max_error_fraction: value should be less than or equal to 1",
        "air/data/flights.yaml:9:5: validation_rules.0.severty: unknown field, did you mean 'severity'?",
        "air/data/flights.yaml:10:5: validation_rules.1.name: required field is missing",
        found[6],
        "air/data/flights.yaml:14:5: transformation_steps.1.mapping: required field is missing",
        "air/data/flights.yaml:15:5: transformation_steps.1.mapings: unknown field, did you mean 'mapping'?",
        "air/data/flights.yaml:16:23: partitioning_columns: a list is needed; write [day], or one '- a' per line",
        "air/data/flights.yaml:17:18: reader.header: true or false is needed",
        found[11],
        "air/features.yaml:2:1: is no YAML: did not find expected ',' or ']'; "
        "a list [..] is not closed, or ${VAR} in it needs quotes",
        "air/pipeline.yaml:1:1: name: required field is missing",
        "air/pipeline.yaml:2:14: environment: unknown environment 'prd'; did you mean 'prod'?",
        found[15],
        "air/pipeline.yaml:3:39: schedule.timezone: unknown time zone 'Europ/Zurich'; did you mean 'Europe/Zurich'?",
        found[17],
        "air/training.yaml:6:1: split_ratios: [0.5, 0.4] sum to 0.9, not 1",
    ]
    assert "transformation_steps.0.type: 'drop_column' is not one of" in found[6]
    assert "did you mean 'drop_columns'?" in found[6]
    assert found[11] == (
        "air/feature.yaml:1:1: which kind of document is this?; did you mean 'features'? "
        "The names are data.yaml, flights.data.yaml or data/flights.yaml, and so for features, training, "
        "deployment, monitoring, pipeline"
    )
    assert "schedule.cron: '0 3 * *' has 4 fields" in found[15]
    assert "air/training.yaml:3:1: feature_columns:" in found[17]


def test_numbers_and_truth_values_are_taken_as_written_where_texts_are_meant(load: Load) -> None:
    pipeline = documents.PIPELINE + "tags: {version: 1.10, live: True, 2013: 007, 08: x}\n"
    deployment = documents.DEPLOYMENT.replace("latest", "1")
    project = load({**documents.WHOLE, "pipeline.yaml": pipeline, "deployment.yaml": deployment})
    assert project.pipeline.config.tags == {"version": "1.10", "live": "True", "2013": "007", "08": "x"}
    assert project.deployment[0].config.model_version == "1"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ("timeout_minutes: true", "timeout_minutes: a number is needed, not true or false"),
        ("timeout_minutes: soon", "timeout_minutes: a whole number is needed"),
        ("timeout_minutes: 1.5", "timeout_minutes: a whole number is needed"),
        ("tags: [a]", "tags: a mapping is needed"),
        ("description: [a]", "description: a text is needed"),
        ("retry_attempts: -1", "retry_attempts: value should be greater than or equal to 0"),
        ("dependencies: [{a: b}]", "dependencies.0: a text is needed"),
        ("schedule: daily", "schedule: a mapping of fields is needed"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(problems: Problems, fields: str, line: str) -> None:
    (problem,) = problems({"pipeline.yaml": documents.PIPELINE + fields + "\n"})
    assert problem.startswith("air/pipeline.yaml:4:")
    assert line in problem


@pytest.mark.parametrize(
    ("name", "fields", "line"),
    [
        ("data", "write_mode: merge", "3:13: write_mode: 'merge' needs primary_keys"),
        ("data", "primary_keys: [a`b]", "3:1: primary_keys: a rule asks whether the column has a value, and no rule"),
        ("training", "split_method: grouped", "6:15: split_method: 'grouped' needs a group_column"),
        (
            "training",
            "metrics: [roc_auk]",
            "6:11: metrics.0: unknown metric 'roc_auk'; did you mean 'roc_auc'?",
        ),
        ("training", "gate: {confidence: 95}", "6:20: gate.confidence: value should be less than 1"),
        ("deployment", "min_replicas: 3", "5:15: min_replicas: 3 is above max_replicas 1"),
        ("deployment", "timeout_seconds: 7200", "5:18: timeout_seconds: value should be less than or equal to 3600"),
        (
            "deployment",
            "tests: [{type: latency}, {type: latency, p95_ms: 5}]",
            "5:33: tests.1.type: test 'latency' is there twice; the first is air/deployment.yaml:5",
        ),
        (
            "deployment",
            "rollout: {increments: [50, 10]}",
            "5:11: rollout.increments: [50, 10] does not ascend",
        ),
        (
            "features",
            "feature_transformations: {hour: {type: clip, lower: 2, upper: 1}}",
            "6:53: feature_transformations.hour.lower: 2.0 is above upper 1.0",
        ),
        (
            "features",
            "feature_transformations: {hour: [{type: log}, {type: scale}]}",
            "6:54: feature_transformations.hour.1.type: 'scale' is not one of",
        ),
    ],
)
def test_a_field_that_contradicts_another_is_pointed_at(problems: Problems, name: str, fields: str, line: str) -> None:
    text = documents.WHOLE[f"{name}.yaml"]
    (problem,) = problems({**documents.WHOLE, f"{name}.yaml": f"{text}{fields}\n"})
    assert problem.startswith(f"air/{name}.yaml:{line}")


def test_one_mistake_is_told_once(problems: Problems) -> None:
    (problem,) = problems({"pipeline.yaml": documents.PIPELINE + "timeout_minutes: ${NOPE_X}\n"})
    assert "environment variable 'NOPE_X' is not set" in problem


def test_a_project_has_exactly_one_pipeline_document(problems: Problems) -> None:
    assert problems({"pipeline.yaml": None, "data.yaml": documents.DATA}) == [
        "air:1:1: the project has no pipeline document; write a pipeline.yaml"
    ]
    found = problems({"pipeline.yaml": documents.PIPELINE, "b.pipeline.yaml": documents.PIPELINE})
    assert [line.split(": ")[0] for line in found] == ["air/b.pipeline.yaml:1:1", "air/pipeline.yaml:1:1"]


def test_an_empty_document_is_a_problem(problems: Problems) -> None:
    assert problems({"data.yaml": "# nothing yet\n"}) == ["air/data.yaml:1:1: this data document is empty"]


def test_a_file_that_is_not_utf8_is_a_problem(write: Write) -> None:
    folder = write({})
    (folder / "data.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match=r"air/data.yaml:1:1: is not UTF-8"):
        load_project(folder)


def test_the_folders_name_has_to_be_a_name(tmp_path: Path) -> None:
    (tmp_path / "my-project").mkdir()
    (tmp_path / "my-project" / "pipeline.yaml").write_text(documents.PIPELINE)
    with pytest.raises(ConfigError, match="'my-project' is no project name"):
        load_project(tmp_path / "my-project")


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere:1:1: there is no such folder"):
        load_project(tmp_path / "nowhere")


def test_overrides_replace_whole_fields_before_the_checks(load: Load) -> None:
    override = """\
        data: {min_rows: 5}
        data/flights:
          validation_rules: ["id > 0"]
        deployment: {endpoint_name: other}
        """
    data = documents.DATA + "validation_rules: ['a ==', 'b > ']\n"
    files = {**documents.WHOLE, "data.yaml": None, "data/flights.yaml": data, "overrides.yaml": override}
    project = load({**files, "data/planes.yaml": documents.DATA.replace("flights", "planes")})
    flights, planes = project.data
    assert [rule.condition for rule in flights.config.validation_rules] == ["id > 0"]
    assert planes.config.validation_rules == []
    assert (flights.config.min_rows, planes.config.min_rows) == (5, 5)
    assert flights.source.place(("validation_rules", 0)).value.file == "air/overrides.yaml"


def test_a_mistake_in_an_override_is_told_where_it_stands(problems: Problems) -> None:
    override = "data: {min_rows: many}\ndata/flihgts: {min_rows: 1}\ndate: {x: 1}\nfeatures: 3\n"
    assert problems({"data/flights.yaml": documents.DATA, "overrides.yaml": override}) == [
        "air/overrides.yaml:1:18: min_rows: a whole number is needed",
        "air/overrides.yaml:2:1: data/flihgts: the project has no such document; did you mean 'data/flights'?",
        "air/overrides.yaml:3:1: date: unknown kind of document 'date'; did you mean 'data'?",
        "air/overrides.yaml:4:11: features: a mapping of fields is needed",
    ]


MONITORING = documents.EXAMPLES["monitoring"].replace("tenure", "hour").replace("monthly_charges", "distance")


def test_a_switched_off_channel_is_a_warning_of_the_project(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    monitoring = MONITORING
    project = load({**documents.WHOLE, "monitoring.yaml": monitoring})
    assert project.warnings == (
        "air/monitoring.yaml:27: this alert channel is off: environment variable 'SLACK_WEBHOOK_URL' is not set",
    )


def test_what_stands_in_a_replaced_field_is_neither_wrong_nor_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_WEBHOOK_URL", "NOWHERE"):
        monkeypatch.delenv(name, raising=False)
    replaced = "monitoring: {alerting: {notification_channels: []}}\ndata: {description: here}\n"
    data = documents.DATA + "description: ${NOWHERE}\n"
    files = {**documents.WHOLE, "monitoring.yaml": MONITORING, "data.yaml": data, "overrides.yaml": replaced}
    project = load(files)
    assert (project.warnings, project.data[0].config.description) == ((), "here")


def test_a_config_has_one_hash_without_its_secrets(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {**documents.WHOLE, "monitoring.yaml": MONITORING}
    hashes = []
    for secret in ("https://a", "https://b"):
        monkeypatch.setenv("SLACK_WEBHOOK_URL", secret)
        hashes.append(config_hash(load(files).monitoring[0]))
    changed = files | {"monitoring.yaml": MONITORING.replace("30", "31")}
    assert hashes[0] == hashes[1] != config_hash(load(changed).monitoring[0])
    assert len(hashes[0]) == 64


def test_projects_are_the_folders_with_a_pipeline_document(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write({**documents.WHOLE, "pipeline.yaml": documents.PIPELINE + "dependencies: [water, aire]\n"})
    for name in ("water", "platforms", "schema", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "water" / "pipeline.yaml").write_text(documents.PIPELINE.replace("name: air", "name: water"))
    (tmp_path / "platforms" / "embedded.yaml").write_text("name: embedded\n")
    (tmp_path / "notes" / "data.yaml").write_text(documents.DATA)
    with caplog.at_level(logging.WARNING):
        projects = load_projects(tmp_path)
    assert [project.name for project in projects] == ["air", "water"]
    assert [record.getMessage() for record in caplog.records] == [
        "notes: no project: it has no pipeline document (pipeline.yaml)",
        "air/pipeline.yaml:4:23: pipeline 'aire' is not loaded; did you mean 'air'?",
    ]


def test_a_project_folder_may_itself_be_the_configs_folder(write: Write) -> None:
    assert [project.name for project in load_projects(write(documents.WHOLE))] == ["air"]


def test_problems_of_all_projects_come_in_one_error(write: Write, tmp_path: Path) -> None:
    write({"data.yaml": "a: 1\n"})
    (tmp_path / "water").mkdir()
    (tmp_path / "water" / "pipeline.yaml").write_text("name: w\n")
    with pytest.raises(ConfigError) as raised:
        load_projects(tmp_path)
    assert {problem.file for problem in raised.value.problems} == {"air/data.yaml", "water/pipeline.yaml"}


def test_a_config_error_survives_a_process_border() -> None:
    with pytest.raises(ConfigError) as raised:
        load_project("nowhere")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_loading_imports_no_heavy_library(write: Write) -> None:
    heavy = {"mlflow", "sklearn", "pandas", "pyspark", "scipy", "pandera", "skops", "databricks", "dagster"}
    code = f"import sys, mlops_assets.config as c; c.load_project({str(write(documents.WHOLE))!r}); "
    code += f"print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_ten_documents_load_at_once(write: Write) -> None:
    rules = "validation_rules:\n" + "".join(f"  - {{name: r{n}, condition: 'c{n} >= {n}'}}\n" for n in range(20))
    tables = {f"data/t{n}.yaml": documents.DATA.replace("flights", f"t{n}") + rules for n in range(5)}
    folder = write({**documents.WHOLE, **tables})
    load_project(folder)
    started = time.process_time()
    load_project(folder)
    assert time.process_time() - started < 3
