from mlops_assets.config.parsing.kinds import MODELS
from mlops_assets_tests.config.test_examples_of_the_reference import DEFAULTS, REQUIRED
from mlops_assets_tests.fields.table import FIELDS, PAGE, effects, page


def test_the_page_of_fields_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m mlops_assets_tests.fields.table"


def test_the_sixty_three_documented_fields_are_those_of_the_reference() -> None:
    documented = {f"{kind}.{name}" for kind in MODELS for name in {*DEFAULTS.get(kind, {}), *REQUIRED.get(kind, {})}}
    assert {*FIELDS} == documented | {"deployment.endpoint_name"}
    assert len(FIELDS) == 63


def test_every_documented_field_has_a_test_of_its_effect() -> None:
    assert {effect.field for effect in effects()} == {*FIELDS}
