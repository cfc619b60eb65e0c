from collections.abc import Callable

import pytest

from mlops_assets.config import Project

Load = Callable[[dict[str, str | None]], Project]
Problems = Callable[..., list[str]]

HEAD = "source_path: raw/flights.csv\ndestination_path: lake/flights\n"
COLUMNS = (
    "columns: {id: int, name: string, at: string, price: float, day: date, seen: datetime, cost: decimal, ok: bool}\n"
)
PLANES = "source_path: raw/p.csv\ndestination_path: lake/planes\ncolumns: {tail: string, seats: int}\n"


def rules(*conditions: str) -> str:
    return "validation_rules:\n" + "".join(f'  - {{name: r{i}, condition: "{c}"}}\n' for i, c in enumerate(conditions))


def test_a_rule_on_an_unknown_column_is_told_with_its_place_a_caret_and_the_nearest_name(problems: Problems) -> None:
    (problem,) = problems({"data.yaml": HEAD + COLUMNS + rules("nmae.str.contains('@') or name is null")})
    assert problem == (
        "air/data.yaml:5:28: rule 'r0': unknown column 'nmae'\n"
        "    nmae.str.contains('@') or name is null\n"
        "    ^^^^    did you mean 'name'?"
    )


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("id == '25'", "int and string cannot be compared"),
        ("name > 3", "cannot be compared"),
        ("price.str.len() > 1", "float"),
        ("name.dt.year > 1", "string"),
        ("id and ok", "takes conditions, not int"),
        ("price + 1", "a rule is true or false, this is float"),
        ("name in planes.tial", "did you mean 'tail'?"),
        ("id in planes.tail", "int"),
        ("id in flights.id", "unknown table 'flights'"),
    ],
)
def test_a_rule_that_does_not_fit_the_declared_types_is_refused(
    problems: Problems, condition: str, message: str
) -> None:
    (problem,) = problems({"data/a.yaml": HEAD + COLUMNS + rules(condition), "data/p.yaml": PLANES})
    assert problem.startswith("air/data/a.yaml:5:")
    assert message in problem


@pytest.mark.parametrize("condition", ["1 == 1", "true", "'a' in ['b']", "current_date() > '2020-01-01'"])
def test_a_rule_that_reads_no_column_is_refused(problems: Problems, condition: str) -> None:
    (problem,) = problems({"data.yaml": HEAD + rules(condition)})
    assert problem.startswith("air/data.yaml:4:28: rule 'r0': this rule reads no column")


def test_rules_that_fit_every_declared_type_load(load: Load) -> None:
    fitting = ["id % 2 == 0", "name.str.len() > 1", "price > cost", "day >= '2024-01-01'", "not ok"]
    fitting += ["seen < current_timestamp()", "flights.id > 0", "name in planes.tail", "column_count == 8"]
    load({"data/a.yaml": HEAD + COLUMNS + rules(*fitting), "data/p.yaml": PLANES})


STEPS = [
    ("{type: drop_columns, columns: [ok]}", "ok", "unknown column 'ok'"),
    ("{type: rename_columns, mapping: {name: title}}", "title.str.len() > 0", ""),
    ("{type: rename_columns, mapping: {name: title}}", "name is null", "unknown column 'name'"),
    ("{type: cast, columns: {at: datetime}}", "at.dt.year > 2000", ""),
    ("{type: parse_date, columns: [at], format: '%Y'}", "at >= day", ""),
    ("{type: derive, columns: {late: 'price > 15', twice: 'price * 2'}}", "late or twice > 1", ""),
    ("{type: derive, columns: {late: 'price > 15', worse: 'late > 2'}}", "ok", "column 'worse': bool and int"),
    ("{type: split, column: name, separator: ' ', into: [first, last]}", "first.str.len() > 0", ""),
    ("{type: hash, columns: [id]}", "id.str.len() == 64", ""),
    ("{type: filter, condition: 'idd > 1'}", "ok", "filter: unknown column 'idd'"),
    ("{type: trim, columns: [id]}", "ok", "trim takes text, and column 'id' is int"),
    ("{type: parse_date, columns: [day], format: '%Y'}", "ok", "parse_date takes text, and column 'day' is date"),
    ("{type: fill_null, values: {id: 0, name: x, price: 1, ok: true}}", "ok", ""),
    ("{type: fill_null, values: {id: none}}", "ok", "column 'id' is int, which 'none' is not"),
    ("{type: fill_null, values: {id: true}}", "ok", "column 'id' is int, which True is not"),
    ("{type: explode, columns: [name]}", "ok", "explode takes lists, and column 'name' is string"),
    ("{type: rename_columns, mapping: {name: id}}", "ok", "there is already a column 'id'"),
    ("{type: rename_columns, mapping: {nme: title}}", "ok", "no column 'nme'; did you mean 'name'?"),
    ("{type: deduplicate, keys: [idd]}", "ok", "the table has no column 'idd'; did you mean 'id'?"),
]


@pytest.mark.parametrize(("step", "condition", "message"), STEPS)
def test_rules_see_the_columns_after_the_steps(
    load: Load, problems: Problems, step: str, condition: str, message: str
) -> None:
    files: dict[str, str | None] = {
        "data.yaml": HEAD + COLUMNS + f"transformation_steps:\n  - {step}\n" + rules(condition)
    }
    if not message:
        load(files)
        return
    (problem,) = problems(files)
    assert message in problem


def test_a_key_of_a_mapping_is_pointed_at_itself(problems: Problems) -> None:
    (problem,) = problems(
        {"data.yaml": HEAD + COLUMNS + "transformation_steps:\n  - {type: cast, columns: {idd: int}}\n"}
    )
    assert problem.startswith("air/data.yaml:5:28: transformation_steps.0.columns.idd: no column 'idd'")


@pytest.mark.parametrize("name", ["primary_keys", "partitioning_columns", "sensitive_columns"])
def test_a_field_that_names_a_column_the_table_will_not_have_is_refused(problems: Problems, name: str) -> None:
    (problem,) = problems({"data.yaml": HEAD + COLUMNS + f"{name}: [nam]\n"})
    assert problem.endswith(f"{name}.0: the table has no column 'nam'; did you mean 'name'?")


MISFITS = [
    ("primary_keys: [id]\nsequence_by: sen\n", "sequence_by: the table has no column 'sen'; did you mean 'seen'?"),
    (
        "partitions: {type: daily, start: 2024-01-01, column: dya}\n",
        "partitions.column: the source has no column 'dya'; did you mean 'day'?",
    ),
    ("partitions: {type: daily, start: 2024-01-01, column: id}\n", "column 'id' is int, which says no daily partition"),
    (
        "primary_keys: [id]\npartitions: {type: daily, start: 2024-01-01, column: day}\n"
        "transformation_steps: [{type: drop_columns, columns: [day]}]\n",
        "partitions.column: the table has no column 'day'",
    ),
    ("partitions: {type: daily, start: 2024-01-02, end: 2024-01-02, column: day}\n", "end is not after start"),
    ("partitions: {type: static, keys: [a], start: 2024-01-02, column: name}\n", "static partitions have no start"),
    ("partitions: {type: dynamic, keys: [a], column: name}\n", "dynamic partitions have no keys"),
    ("partitions: {type: static, keys: [a, a], column: name}\n", "a key is there twice"),
    ("arrival_columns: {_row_id: id}\n", "arrival_columns._row_id: there is already a column 'id'"),
    ("partitioning_columns: [day]\nz_order_by: [id, day]\n", "z_order_by: column 'day' is one value in every file"),
    (
        "primary_keys: [id]\nwrite_mode: scd2\n"
        "transformation_steps: [{type: rename_columns, mapping: {day: valid_to}}]\n",
        "column 'valid_to' is one that a history (scd2) has for itself",
    ),
]


@pytest.mark.parametrize(("fields", "message"), MISFITS)
def test_fields_that_cannot_go_together_are_refused(problems: Problems, fields: str, message: str) -> None:
    (problem,) = problems({"data.yaml": HEAD + COLUMNS + fields})
    assert message in problem


def test_a_history_may_be_parted_and_ordered_by_its_own_columns(load: Load) -> None:
    own = "primary_keys: [id]\nwrite_mode: scd2\npartitioning_columns: [is_current]\nz_order_by: [valid_from]\n"
    load({"data.yaml": HEAD + COLUMNS + own})


def test_without_declared_columns_nothing_is_refused_before_the_rows_are_there(load: Load) -> None:
    load({"data/a.yaml": HEAD + rules("idd > 1", "idd in planes.tial"), "data/p.yaml": PLANES.split("columns")[0]})


def test_where_columns_may_be_added_only_what_is_declared_is_checked(load: Load, problems: Problems) -> None:
    adding = HEAD + COLUMNS + "schema_evolution: add\nprimary_keys: [other]\n"
    load({"data.yaml": adding + rules("other > 1", "id > 1")})
    (problem,) = problems({"data.yaml": adding + rules("other > 1", "id > 'x'")})
    assert "int and string" in problem
