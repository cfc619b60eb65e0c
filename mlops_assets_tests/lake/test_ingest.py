import os
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError, SourceChanged, SourceMissing
from mlops_assets.lake.fingerprints import CORRECTIONS, HASH, fingerprint, next_number, says
from mlops_assets_tests.lake.conftest import Lake


def test_a_source_arrives_as_it_is_with_its_file_time_and_row(lake: Lake) -> None:
    lake.write("a.csv", "id,amount\n007,1.50\n8,x\n")
    done = lake.ingest(lake.config(columns={"id": "int", "amount": "float"}))
    rows = delta.scan(lake.tables.bronze).sort("_row_id").collect()
    assert done.rows == 2
    assert rows["id"].to_list() == ["007", "8"]
    assert rows["amount"].to_list() == ["1.50", "x"]
    assert rows["_source_file"].to_list() == ["a.csv", "a.csv"]
    assert rows["_row_id"].to_list() == [0, 1]
    assert rows.schema["_ingested_at"] == pl.Datetime("us", "UTC")


def test_a_file_that_was_ingested_is_not_ingested_again(lake: Lake) -> None:
    lake.write("a.csv", "id\n1\n")
    config = lake.config(columns={"id": "int"})
    lake.ingest(config)
    lake.write("b.csv", "id\n2\n")
    again = lake.ingest(config)
    assert again.files == ("b.csv",)
    assert again.known == 1
    assert delta.rows(lake.tables.bronze) == 2
    version = delta.version(lake.tables.bronze)
    lake.ingest(config)
    assert delta.version(lake.tables.bronze) == version


def test_a_file_that_was_touched_but_not_changed_is_known(lake: Lake) -> None:
    file = lake.write("a.csv", "id\n1\n")
    config = lake.config(columns={"id": "int"})
    lake.ingest(config)
    os.utime(file, (1, 1))
    assert lake.ingest(config).known == 1


def test_a_known_file_with_other_content_is_refused_by_name_and_nothing_is_written(lake: Lake) -> None:
    lake.write("a.csv", "id\n1\n")
    config = lake.config(columns={"id": "int"})
    lake.ingest(config)
    lake.write("a.csv", "id\n1\n2\n")
    lake.write("b.csv", "id\n3\n")
    with pytest.raises(SourceChanged, match=r"a\.csv"):
        lake.ingest(config)
    assert delta.rows(lake.tables.bronze) == 1


def test_a_changed_file_is_named_and_left_alone_where_the_document_says_ignore(lake: Lake) -> None:
    lake.write("a.csv", "id\n1\n")
    config = lake.config(columns={"id": "int"}, on_changed_source="ignore")
    lake.ingest(config)
    lake.write("a.csv", "id\n1\n2\n")
    assert lake.ingest(config).ignored == ("a.csv",)
    assert delta.rows(lake.tables.bronze) == 1


def test_a_file_is_corrected_as_often_as_it_comes_however_the_hashes_of_its_contents_fall(lake: Lake) -> None:
    config = lake.config(columns={"id": "int"}, on_changed_source="replace", primary_keys=["id"])
    texts = sorted((f"id\n{n}\n" for n in range(3)), key=lambda text: fingerprint(text.encode()), reverse=True)
    for text in [*texts, texts[1]]:
        lake.write("a.csv", text)
        lake.ingest(config)
        assert delta.scan(lake.tables.bronze).collect()["id"].to_list() == re.findall(r"\d+", text)
        assert lake.ingest(config).known == 1


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=9))
def test_the_numbers_that_a_log_keeps_of_a_file_grow_and_say_what_it_held(contents: list[bytes]) -> None:
    recorded: int | None = None
    for content in contents:
        number = next_number("content:a.csv", recorded, fingerprint(content))
        assert recorded is None or number > recorded
        assert number < 1 << 63
        assert [says(number, fingerprint(other)) for other in contents] == [other == content for other in contents]
        recorded = number


def test_a_file_that_was_corrected_more_often_than_is_counted_is_refused_by_name() -> None:
    with pytest.raises(LakeError, match=r"content:a\.csv: corrected 32767 times"):
        next_number("content:a.csv", (CORRECTIONS - 1) << HASH, fingerprint(b""))


def test_a_missing_source_says_what_is_there_instead(lake: Lake) -> None:
    lake.write("order.csv", "id\n1\n")
    with pytest.raises(SourceMissing, match=r"orders\.csv.*did you mean 'order\.csv'\?"):
        lake.ingest(lake.config(source_path=str(lake.source / "orders.csv")))


def test_a_declared_column_that_the_file_lacks_is_refused_with_the_nearest(lake: Lake) -> None:
    lake.write("a.csv", "id,amont\n1,2\n")
    with pytest.raises(LakeError, match=r"no column 'amount'.*did you mean 'amont'\?"):
        lake.ingest(lake.config(columns={"amount": "float"}))
    assert not delta.exists(lake.tables.bronze)


def test_a_byte_that_the_encoding_does_not_know_is_an_error_not_a_replacement(lake: Lake) -> None:
    (lake.source / "a.csv").write_bytes(b"id\n\xff\n")
    with pytest.raises(LakeError, match=r"a\.csv: not readable as csv"):
        lake.ingest(lake.config())


def test_a_delta_source_brings_only_what_was_appended_since(lake: Lake, tmp_path: Path) -> None:
    source = str(tmp_path / "upstream")
    config = lake.config(source_path=source, format="delta")
    delta.append(source, pl.DataFrame({"id": [1, 2]}), transactions={})
    lake.ingest(config)
    delta.append(source, pl.DataFrame({"id": [3]}), transactions={})
    assert lake.ingest(config).rows == 1
    assert delta.scan(lake.tables.bronze).collect()["id"].sort().to_list() == [1, 2, 3]
    assert lake.ingest(config).rows == 0


def test_parquet_and_json_lines_keep_their_types(lake: Lake) -> None:
    pl.DataFrame({"id": [1], "name": ["a"]}).write_parquet(lake.source / "a.parquet")
    lake.ingest(lake.config(format="parquet"))
    assert delta.schema(lake.tables.bronze)["id"] == pl.Int64


def test_parquet_in_folders_that_state_a_column_has_it(lake: Lake) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        (lake.source / f"day={day}").mkdir()
        pl.DataFrame({"id": [1]}).write_parquet(lake.source / f"day={day}" / "a.parquet")
    lake.load(lake.config(format="parquet"))
    assert sorted(delta.scan(lake.tables.silver).collect()["day"]) == ["2024-01-01", "2024-01-02"]
    pl.DataFrame({"id": ["x"]}).write_parquet(lake.source / "b.parquet")
    with pytest.raises(LakeError, match=r"b\.parquet: column 'id' is String, and the table has it as Int64"):
        lake.ingest(lake.config(format="parquet"))


def test_no_nan_is_ever_stored(tmp_path: Path) -> None:
    table = str(tmp_path / "t")
    delta.append(table, pl.DataFrame({"x": [1.0, float("nan")]}), transactions={})
    assert delta.scan(table).collect()["x"].null_count() == 1
