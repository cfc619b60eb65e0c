import re
from collections.abc import Callable

import pytest

from mlops_assets.config import ConfigError, Project, load_projects
from mlops_assets.rules import RuleError, parse
from mlops_assets_tests.config import documents
from mlops_assets_tests.config.conftest import Problems, Write

Load = Callable[[dict[str, str | None]], Project]
WHOLE = documents.WHOLE


def test_documents_that_fit_together_have_no_problem(load: Load) -> None:
    assert load(WHOLE).warnings == ()


CHANGES = {
    "features.yaml: source_table: flights -> source_table: flihgts": (
        "air/features.yaml:1:15: source_table: no document writes a table 'flihgts'; did you mean 'flights'?"
    ),
    "features.yaml: source_table: flights -> source_table: silver/flihgts": (
        "air/features.yaml:1:15: source_table: no document writes a table 'silver/flihgts'; "
        "did you mean 'silver/flights'?"
    ),
    "features.yaml: source_table: flights -> source_table: main.air.flight": (
        "air/features.yaml:1:15: source_table: no document writes a table 'main.air.flight'; did you mean 'flights'?"
    ),
    "features.yaml: timestamp_column: at -> timestamp_column: at\njoins: [{table: wether, on: [id]}]": (
        "air/features.yaml:6:17: joins.0.table: no document writes a table 'wether'; "
        "a path outside the project starts with a scheme, / or ./"
    ),
    "features.yaml: timestamp_column: at -> timestamp_column: at\nfeature_transformations: {carier: {type: log}}": (
        "air/features.yaml:6:27: feature_transformations.carier: 'carier' is not among the features; "
        "did you mean 'carrier'?"
    ),
    "training.yaml: [hour, distance] -> [hour, distanse]": (
        "air/training.yaml:3:25: feature_columns.1: feature table 'flight_features' has no "
        "column 'distanse'; "
        "did you mean 'distance'?"
    ),
    "training.yaml: experiment_name: air -> experiment_name: air\nfeature_table: fligt_features": (
        "air/training.yaml:5:16: feature_table: no feature document makes a table 'fligt_features'; "
        "did you mean 'flight_features'?"
    ),
    "deployment.yaml: model_name: late -> model_name: lat": (
        "air/deployment.yaml:1:13: model_name: no training document registers a model 'lat'; did you mean 'late'?"
    ),
    "monitoring.yaml: metrics: -> model_name: lates\nmetrics:": (
        "air/monitoring.yaml:1:13: model_name: no training document registers a model 'lates'; did you mean 'late'?"
    ),
    "monitoring.yaml: [feature_drift] -> [feature_drift]\nalert_thresholds: {feature_drfit: 0.1}": (
        "air/monitoring.yaml:2:35: alert_thresholds.feature_drfit: 'feature_drfit' is not among the metrics; "
        "did you mean 'feature_drift'?"
    ),
    "monitoring.yaml: [feature_drift] -> [accuracy]\nalert_thresholds: {estimated_accuracy: 0.8}": (
        "air/monitoring.yaml:2:40: alert_thresholds.estimated_accuracy: 'estimated_accuracy' is an estimate, which is "
        "shown and raises no alarm; give the metric itself a threshold"
    ),
    "monitoring.yaml: [feature_drift] -> [feature_drift]\nsensitive_features: [carrier, distanse]": (
        "air/monitoring.yaml:2:31: sensitive_features.1: feature table 'flight_features' has no column 'distanse'; "
        "did you mean 'distance'?"
    ),
    "monitoring.yaml: [feature_drift] -> [feature_drift]\ndata_drift_detection: {features_to_monitor: [hours]}": (
        "air/monitoring.yaml:2:46: data_drift_detection.features_to_monitor.0: feature table 'flight_features' has no "
        "column 'hours'; did you mean 'hour'?"
    ),
    "monitoring.yaml: [feature_drift] -> [feature_drift]\nslices: [carrier]\nsensitive_features: [carrier]": (
        "air/monitoring.yaml:2:1: slices: 'carrier' is sensitive, and a slice is named by its value; leave one out"
    ),
    "monitoring.yaml: [feature_drift] -> [model_acuracy]": (
        "air/monitoring.yaml:1:11: metrics.0: unknown metric 'model_acuracy'; did you mean 'model_accuracy'?"
    ),
    "monitoring.yaml: [feature_drift] -> [feature_drift]\ndata_drift_detection: {reference_dataset: fligths}": (
        "air/monitoring.yaml:2:43: data_drift_detection.reference_dataset: no document writes "
        "a table 'fligths'; "
        "did you mean 'flights'?"
    ),
    "data.yaml: raw/flights.csv -> silver/flights": (
        "air/data.yaml:1:14: source_path: tables are made from each other: 'flights' reads 'flights'"
    ),
    "data.yaml: raw/flights.csv -> lake/flights": (
        "air/data.yaml:1:14: source_path: tables are made from each other: 'flights' reads 'flights'"
    ),
    "data.yaml: raw/flights.csv -> raw/flights.csv\nvalidation_rules: ['carrier in airlines.code']": (
        "air/data.yaml:2:20: validation_rules.0.condition: no document writes a table 'airlines'; "
        "a path outside the project starts with a scheme, / or ./"
    ),
}


def changed(change: str) -> dict[str, str | None]:
    name, _, edit = change.partition(": ")
    old, _, new = edit.partition(" -> ")
    text = WHOLE[name]
    assert text is not None
    assert old in text
    return {**WHOLE, name: text.replace(old, new)}


@pytest.mark.parametrize(("change", "problem"), CHANGES.items(), ids=list(CHANGES))
def test_a_reference_that_leads_nowhere_is_told_with_the_nearest(problems: Problems, change: str, problem: str) -> None:
    assert problems(changed(change)) == [problem]


@pytest.mark.parametrize("reference", ["dbfs:/x/base", "s3://b/x", "/data/x", "./x", "../x"])
def test_a_path_outside_the_project_need_not_be_written_by_it(load: Load, reference: str) -> None:
    text = documents.FEATURES.replace("source_table: flights", f"source_table: '{reference}'")
    assert load({**WHOLE, "features.yaml": text}).features[0].config.source_table == reference


def test_tables_that_read_each_other_are_refused(problems: Problems) -> None:
    a = "source_path: silver/b\ndestination_path: lake/a\n"
    b = "source_path: a\ndestination_path: lake/b\n"
    (problem,) = problems({"data/a.yaml": a, "data/b.yaml": b})
    assert "source_path: tables are made from each other: " in problem
    assert "'a' reads 'b' reads 'a'" in problem or "'b' reads 'a' reads 'b'" in problem


def test_features_may_read_features(load: Load) -> None:
    second = documents.FEATURES.replace("flight_features", "more").replace(": flights", ": flight_features")
    training = documents.TRAINING + "feature_table: main.air.more\n"
    assert len(load({**WHOLE, "more.features.yaml": second, "training.yaml": training}).features) == 2


def test_one_name_is_given_once(problems: Problems) -> None:
    assert problems(
        {
            **WHOLE,
            "b.data.yaml": "source_path: x\ndestination_path: other/flights\n",
            "b.training.yaml": documents.TRAINING,
            "b.deployment.yaml": documents.DEPLOYMENT,
        }
    ) == [
        "air/data.yaml:2:19: destination_path: table 'silver/flights' is there twice; the first is air/b.data.yaml:2",
        "air/data.yaml:2:19: destination_path: table 'silver/flights_quarantine' is there twice; "
        "the first is air/b.data.yaml:2",
        "air/deployment.yaml:1:1: endpoint_name: endpoint 'late-staging' is there twice; "
        "the first is air/b.deployment.yaml:1",
        "air/deployment.yaml:3:14: environment: deployment 'staging' is there twice; "
        "the first is air/b.deployment.yaml:3",
        "air/monitoring.yaml:1:1: model_name: required field is missing: the project has several models: late, late",
        "air/training.yaml:5:22: registry_model_name: registered model 'late' is there twice; "
        "the first is air/b.training.yaml:5",
    ]


def test_rule_names_are_unique_in_a_document(problems: Problems) -> None:
    rules = "validation_rules:\n  - {name: r, condition: a > 0}\n  - {name: r, condition: b > 0}\n"
    assert problems({"data.yaml": documents.DATA + rules}) == [
        "air/data.yaml:5:12: validation_rules.1.name: rule 'r' is there twice; the first is air/data.yaml:4"
    ]


def test_a_feature_table_has_to_be_named_where_there_are_several_or_none(problems: Problems) -> None:
    second = documents.FEATURES.replace("flight_features", "more")
    (several,) = problems({**WHOLE, "more.features.yaml": second})
    assert "feature_table: the project has several feature tables: flight_features, more; name one" in several
    (none,) = problems({**WHOLE, "features.yaml": None, "more.features.yaml": None})
    assert "feature_table: the project has no feature document to train on" in none


def test_a_monitor_and_a_deployment_need_a_model(problems: Problems) -> None:
    deployed, watched = problems({**WHOLE, "training.yaml": None})
    assert "no training document registers a model 'late'" in deployed
    assert "required field is missing: the project trains no model" in watched


OUTPUTS = {
    "{carrier: {type: one_hot_encode, output_columns: [is_ua, is_dl]}}": ("[is_ua]", "[carrier_UA]"),
    "{carrier: {type: one_hot_encode}}": ("[carrier_UA]", "[carrierUA]"),
    "{carrier: [{type: impute, strategy: most_frequent}, {type: hash, n_features: 4}]}": (
        "[carrier_3]",
        "[hash_3]",
    ),
    "{hour: {type: scaling}}": ("[hour, at, id]", "[hour_scaled]"),
}


@pytest.mark.parametrize(("transformations", "columns"), OUTPUTS.items())
def test_feature_columns_may_be_outputs_of_transformations(
    load: Load, problems: Problems, transformations: str, columns: tuple[str, str]
) -> None:
    features = documents.FEATURES + f"feature_transformations: {transformations}\n"
    known, unknown = (documents.TRAINING.replace("[hour, distance]", each) for each in columns)
    assert load({**WHOLE, "features.yaml": features, "training.yaml": known}).training
    (problem,) = problems({**WHOLE, "features.yaml": features, "training.yaml": unknown})
    assert "feature_columns.0: feature table 'flight_features' has no column" in problem


def test_a_feature_table_of_all_columns_may_have_any(load: Load) -> None:
    features = documents.FEATURES.replace("[hour, carrier, distance]", "[]")
    training = documents.TRAINING.replace("[hour, distance]", "[whatever]")
    assert load({**WHOLE, "features.yaml": features, "training.yaml": training}).features[0].config.features == []


JOIN = "joins:\n  - {table: weather, on: [origin], as_of: time_hour, columns: [temp]}\n"
WEATHER = documents.DATA.replace("flights", "weather") + (
    "columns: {station: string, time_hour: datetime, temp: float}\n"
    "transformation_steps: [{type: rename_columns, mapping: {station: origin}}]\n"
)
FLIGHTS = documents.DATA + (
    "columns: {id: int, at: datetime, origin: string, hour: int, carrier: string, distance: float, late: bool}\n"
)


def test_joins_of_declared_tables_fit(load: Load) -> None:
    files = {
        **WHOLE,
        "data.yaml": FLIGHTS,
        "w.data.yaml": WEATHER,
        "features.yaml": documents.FEATURES + JOIN,
    }
    assert load(files).features[0].config.joins[0].as_of == "time_hour"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[origin]", "[orign]", "joins.0.on: table 'weather' has no column 'orign'; did you mean 'origin'?"),
        ("[origin]", "{orign: origin}", "joins.0.on: what is joined so far has no column 'orign'"),
        ("[temp]", "[tmp]", "joins.0.columns: table 'weather' has no column 'tmp'; did you mean 'temp'?"),
        ("as_of: time_hour", "as_of: hour", "joins.0.as_of: table 'weather' has no column 'hour'"),
        (
            "carrier, distance]",
            "carier, distance, temp]",
            "features.1: 'flights' with its joins has no column 'carier'; ",
        ),
        (
            "keys: [id]",
            "keys: [idd]",
            "primary_keys.0: 'flights' with its joins has no column 'idd'; did you mean 'id'?",
        ),
        ("column: at", "column: att", "timestamp_column: 'flights' has no column 'att'; did you mean 'at'?"),
        ("column: at", "column: at\npartition_columns: [tmp]", "partition_columns.0: 'flights' with its joins has no "),
    ],
)
def test_columns_of_features_and_joins_that_are_not_declared_are_refused(
    problems: Problems, old: str, new: str, problem: str
) -> None:
    features = (documents.FEATURES + JOIN).replace(old, new)
    found = problems({**WHOLE, "data.yaml": FLIGHTS, "w.data.yaml": WEATHER, "features.yaml": features})
    assert any(problem in line for line in found), found


def test_a_key_or_a_feature_that_the_predictions_have_too_is_refused_where_a_model_is_deployed(
    load: Load, problems: Problems
) -> None:
    taken = documents.FEATURES.replace("keys: [id]", "keys: [version]")
    found = problems({**WHOLE, "features.yaml": taken})
    assert any("primary_keys.0: the table of predictions has a column 'version' of its own" in line for line in found)
    assert load({**WHOLE, "features.yaml": taken, "deployment.yaml": None}).deployment == ()


@pytest.mark.parametrize(
    ("name", "fields", "start"),
    [
        (
            "data.yaml",
            'validation_rules:\n  - name: r\n    condition: "a > 0 and b = 1"\n',
            "air/data.yaml:5:29: rule 'r': ",
        ),
        (
            "data.yaml",
            "validation_rules:\n  - a > 0 and b = 1\n",
            "air/data.yaml:4:17: rule 'a_gt_0_and_b_1': ",
        ),
        (
            "data.yaml",
            "validation_rules:\n  - name: r\n    condition: |\n      a > 0\n      and b = 1\n",
            "air/data.yaml:7:13: rule 'r': ",
        ),
        (
            "data.yaml",
            "transformation_steps:\n  - {type: filter, condition: a = 1}\n",
            "air/data.yaml:4:33: filter: ",
        ),
        (
            "data.yaml",
            "transformation_steps:\n  - {type: derive, columns: {x: 'a && b'}}\n",
            "air/data.yaml:4:36: column 'x': ",
        ),
        (
            "training.yaml",
            "promotion_criteria: roc_auc = 1\n",
            "air/training.yaml:6:29: promotion_criteria: ",
        ),
        (
            "training.yaml",
            "promotion_criteria: [recall > 0, roc_auc = 1]\n",
            "air/training.yaml:6:42: promotion_",
        ),
        (
            "deployment.yaml",
            "rollout: {success_criteria: ['p95 = 1']}\n",
            "air/deployment.yaml:5:35: success_criteria: ",
        ),
    ],
)
def test_a_condition_is_read_while_loading_and_pointed_at(
    problems: Problems, name: str, fields: str, start: str
) -> None:
    text = WHOLE[name]
    assert text is not None
    (problem,) = problems({**WHOLE, name: text + fields})
    line, *picture = problem.split("\n")
    assert line.startswith(start)
    assert any("^" in each for each in picture)


def test_a_conditions_problem_shows_the_rule_as_the_rule_language_does(problems: Problems) -> None:
    data = documents.DATA + 'validation_rules:\n  - name: r\n    condition: "a <> 1"\n'
    (problem,) = problems({"data.yaml": data})
    with pytest.raises(RuleError) as raised:
        parse("a <> 1")
    error = raised.value
    assert problem == f"air/data.yaml:5:19: rule 'r': {error.message}\n{error.picture()}"


def test_endpoints_and_models_belong_to_one_project(write: Write) -> None:
    first = write(WHOLE)
    second = first.parent / "air2"
    second.mkdir()
    for file in first.iterdir():
        (second / file.name).write_text(file.read_text())
    with pytest.raises(ConfigError) as raised:
        load_projects(first.parent)
    assert [problem.message for problem in raised.value.problems] == [
        "endpoint 'late-staging' is there twice",
        "pipeline 'air' is there twice",
        "registered model 'late' is there twice",
    ]


def test_pipelines_that_wait_for_each_other_are_refused(write: Write) -> None:
    folder = write({"pipeline.yaml": documents.PIPELINE + "dependencies: [sea]\n"})
    (folder.parent / "sea").mkdir()
    text = documents.PIPELINE.replace("name: air", "name: sea") + "dependencies: [air]\n"
    (folder.parent / "sea" / "pipeline.yaml").write_text(text)
    with pytest.raises(ConfigError, match="dependencies: pipelines wait for each other: "):
        load_projects(folder.parent)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("regression", "'ddm' takes errors of classifiers only; adwin or page_hinkley would do"),
        ("clustering", "a clustering has no errors to follow; leave them out"),
    ],
)
def test_a_detector_of_errors_that_a_model_has_not_is_refused(load: Load, kind: str, problem: str) -> None:
    watched = "metrics: [feature_drift]\nmodel_performance_tracking: {detectors: [adwin, ddm]}\n"
    assert load({**WHOLE, "monitoring.yaml": watched}).warnings == ()
    other = documents.TRAINING.replace("classification", kind)
    with pytest.raises(ConfigError, match=problem):
        load({**WHOLE, "training.yaml": other, "monitoring.yaml": watched})


def test_a_monitor_of_what_nobody_deploys_is_told(load: Load) -> None:
    (told,) = load({**WHOLE, "deployment.yaml": None}).warnings
    assert told.startswith("air/monitoring.yaml:1:1: metrics: has no effect: no document deploys 'late'; what is dep")


def test_of_several_models_the_one_that_a_monitor_names_is_watched(load: Load) -> None:
    other = documents.TRAINING.replace("classification", "regression").replace("model_name: late", "model_name: delay")
    both = {**WHOLE, "training.yaml": None, "training/late.yaml": documents.TRAINING, "training/delay.yaml": other}
    named = "model_name: late\nmetrics: [feature_drift, roc_auc]\n"
    assert load({**both, "monitoring.yaml": named}).warnings == ()
    with pytest.raises(ConfigError, match=r"metrics.1: 'mae' is no metric of classification"):
        load({**both, "monitoring.yaml": named.replace("roc_auc", "mae")})


def test_a_second_monitor_would_write_over_the_first(load: Load) -> None:
    other = {**WHOLE, "monitoring.yaml": None, "monitoring/a.yaml": documents.MONITORING}
    problem = "air/monitoring/b.yaml:1:1: metrics: the project has a monitor already, in air/monitoring/a.yaml; set"
    with pytest.raises(ConfigError, match=re.escape(problem)):
        load({**other, "monitoring/b.yaml": documents.MONITORING})
    assert load({**other, "monitoring/b.yaml": f"enabled: false\n{documents.MONITORING}"}).warnings == ()


def test_a_metric_of_another_kind_of_model_is_refused(load: Load) -> None:
    assert load({**WHOLE, "monitoring.yaml": "metrics: [model_f1_macro, label_drift]\n"}).warnings == ()
    with pytest.raises(ConfigError, match=r"metrics.1: 'model_mae' is no metric of classification; these are: acc"):
        load({**WHOLE, "monitoring.yaml": "metrics: [roc_auc, model_mae]\n"})


def test_an_interval_that_no_schedule_keeps_is_told(load: Load) -> None:
    def told(minutes: int) -> tuple[str, ...]:
        watched = f"metrics: [feature_drift]\nmonitoring_interval_minutes: {minutes}"
        return load({**WHOLE, "monitoring.yaml": watched}).warnings

    assert told(45) == told(2880) == ()
    assert told(64_800) == (
        "air/monitoring.yaml:2:30: monitoring_interval_minutes: 64800 minutes are no schedule's: "
        "it runs on the first of each month",
    )
    assert told(4_000)[0].endswith("it runs every 3 days, counted from the first of each month")
