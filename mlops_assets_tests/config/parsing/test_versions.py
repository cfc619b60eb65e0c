from collections.abc import Callable

import pytest

from mlops_assets.config import Problem, Project, config_hash
from mlops_assets.config.parsing.documents import parse_sources
from mlops_assets.config.parsing.source import Position
from mlops_assets.config.parsing.versions import up_to_date
from mlops_assets_tests.config import documents
from mlops_assets_tests.config.conftest import Problems


def test_a_document_may_state_its_version_and_means_the_same(load: Callable[..., Project]) -> None:
    plain = load({})
    stated = load({"pipeline.yaml": f"version: 1\n{documents.PIPELINE.lstrip()}"})
    assert config_hash(stated.pipeline) == config_hash(plain.pipeline)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2", "this document is of version 2, and this package reads 1; install a newer mlops-assets"),
        ("0", "'0' is no version of the documents' language; write 1"),
        ("one", "'one' is no version of the documents' language; write 1"),
        ("true", "'True' is no version of the documents' language; write 1"),
    ],
)
def test_a_version_that_this_package_does_not_read_is_refused(problems: Problems, written: str, said: str) -> None:
    text = f"{documents.PIPELINE.strip()}\nversion: {written}\n"
    line = len(text.splitlines())
    assert problems({"pipeline.yaml": text}) == [f"air/pipeline.yaml:{line}:10: version: {said}"]


def test_an_older_document_is_brought_up_step_by_step_and_its_fields_stand_where_they_stood() -> None:
    (source,) = parse_sources("version: 1\nkeys: [a]\nkept: 2\n", "old.yaml", {}, [])
    steps = {
        1: lambda each: each.renamed("keys", "primary_keys"),
        2: lambda each: each.renamed("primary_keys", "identity").renamed("absent", "other"),
    }
    noted: list[Problem] = []
    today = up_to_date(source, noted, steps)
    assert today.data == {"identity": ["a"], "kept": 2}
    assert today.place(("identity", 0)).shown == Position("old.yaml", 2, 8)
    assert not noted


def test_a_document_that_states_no_version_is_of_todays() -> None:
    (source,) = parse_sources("keys: [a]\n", "new.yaml", {}, [])
    assert up_to_date(source, [], {1: lambda each: each.renamed("keys", "other")}) is source
