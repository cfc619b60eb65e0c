from collections.abc import Callable

import pytest

from mlops_assets.config import Project, TableRef, resolve_table
from mlops_assets.config.crosschecks.references import source_of
from mlops_assets_tests.config import documents

Load = Callable[[dict[str, str | None]], Project]
DATA = "source_path: main.raw.flights\ndestination_path: 'dbfs:/mnt/processed/flights.delta'\n"
FEATURES = documents.FEATURES + "offline_store_path: 'dbfs:/mnt/gold/ff'\n"


@pytest.fixture
def project(load: Load) -> Project:
    both = documents.FEATURES.replace("flight_features", "flights").replace(": flights", ": silver/flights", 1)
    training = documents.TRAINING + "feature_table: flight_features\n"
    files = {**documents.WHOLE, "data.yaml": DATA, "features.yaml": FEATURES, "b.features.yaml": both}
    return load({**files, "training.yaml": training})


@pytest.mark.parametrize(
    ("reference", "table"),
    [
        ("flights", "silver/flights"),
        ("silver/flights", "silver/flights"),
        ("bronze/flights", "bronze/flights"),
        ("gold/flights", "gold/flights"),
        ("air/silver/flights", "silver/flights"),
        ("silver/flights_quarantine", "silver/flights_quarantine"),
        ("dbfs:/mnt/processed/flights.delta", "silver/flights"),
        ("dbfs:/mnt/processed/flights.delta/", "silver/flights"),
        ("main.air.flights", "silver/flights"),
        ("air.flight_features", "gold/flight_features"),
        ("flight_features", "gold/flight_features"),
        ("dbfs:/mnt/gold/ff", "gold/flight_features"),
        ("gold/predictions", "gold/predictions"),
        ("dbfs:/elsewhere/flights", None),
        ("flight", None),
        ("silver/flight_features", None),
        ("main.air.flight", None),
        ("a.b.c.flights", None),
        ("", None),
    ],
)
def test_a_table_goes_by_several_names(project: Project, reference: str, table: str | None) -> None:
    found = resolve_table(project, reference)
    assert (None if found is None else str(found)) == table


def test_a_source_of_the_same_last_part_is_not_the_table_itself(project: Project) -> None:
    (data,) = project.data
    assert source_of(project, data) is None
    assert resolve_table(project, "main.raw.flights") == TableRef("silver", "flights")


@pytest.mark.parametrize(
    ("source", "table"),
    [("prod.raw.events", None), ("events", "silver/events"), ("main.shop.events", "silver/events")],
)
def test_a_qualified_source_is_a_documents_table_only_by_its_whole_name(
    load: Load, source: str, table: str | None
) -> None:
    events = "source_path: ./events.csv\nformat: csv\ndestination_path: main.shop.events\n"
    project = load(
        {"pipeline.yaml": documents.PIPELINE, "events.data.yaml": events,
         "clean.data.yaml": f"source_path: {source}\ndestination_path: main.shop.clean\n"}
    )  # fmt: skip
    clean = next(each for each in project.data if each.name == "clean")
    assert (str(found) if (found := source_of(project, clean)) else None) == table
