import pytest

from mlops_assets_tests.config import documents
from mlops_assets_tests.config.conftest import Problems, Write

KNOWN = "'dbfs', 'file', 's3', 's3a', 'gs', 'abfs', 'abfss', 'az', 'adl', 'https' or 'http'"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("s4://bucket/flights.csv", f"nothing reads paths that begin with 's4:'; known are {KNOWN}"),
        ("hdfs://a/flights.csv", "nothing reads paths that begin with 'hdfs:'; did you mean 'dbfs'?"),
        ("htps://a/flights.csv", "nothing reads paths that begin with 'htps:'; did you mean 'https'?"),
    ],
)
def test_a_source_of_a_scheme_that_nothing_reads_is_told(problems: Problems, path: str, hint: str) -> None:
    data = documents.DATA.replace("raw/flights.csv", path)
    assert problems({"data.yaml": data}) == [f"air/data.yaml:1:14: source_path: {hint}"]


def test_so_is_a_table_of_features(problems: Problems) -> None:
    features = documents.FEATURES.replace("source_table: flights", "source_table: abfs2://a/b")
    (told,) = problems({"data.yaml": documents.DATA, "features.yaml": features})
    assert told.startswith("air/features.yaml:1:15: source_table: nothing reads paths that begin with 'abfs2:'")


def test_a_field_that_is_there_without_a_value_is_told_so(problems: Problems) -> None:
    assert problems({"pipeline.yaml": "name: air\nowner:\nenvironment: ~\n"}) == [
        "air/pipeline.yaml:2:7: owner: required field has no value",
        "air/pipeline.yaml:3:14: environment: required field has no value",
    ]


def test_a_document_whose_ending_is_in_capitals_is_read_as_well(write: Write, problems: Problems) -> None:
    assert problems({"data.YAML": "source_path: a\n"}) == [
        "air/data.YAML:1:1: destination_path: required field is missing"
    ]
