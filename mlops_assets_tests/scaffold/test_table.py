import gzip
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.scaffold.errors import ScaffoldError
from mlops_assets.scaffold.table import read_table


def written(folder: Path, text: str, name: str = "a.csv", encoding: str = "utf8") -> Path:
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def test_each_column_has_the_narrowest_type_that_all_its_values_are_of(tmp_path: Path) -> None:
    rows = ["1,1.5,true,2024-01-31,2024-01-31T10:00:00,a,007", "2,2,false,2024-02-01,2024-02-01 11:00,b,8"]
    table = read_table(written(tmp_path, "\n".join(["n,x,b,d,t,s,code", *rows])))
    kinds = {"n": "int", "x": "float", "b": "bool", "d": "date", "t": "datetime", "s": "string", "code": "string"}
    assert table.columns == kinds
    assert table.reader == {}


def test_semicolons_latin_letters_other_nulls_and_german_dates_go_into_the_reader(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "name;am;n\nZürich;31.12.2024;NA\nBern;01.02.2024;3\n", encoding="latin1"))
    assert table.columns == {"name": "string", "am": "date", "n": "int"}
    assert table.reader == {
        "date_format": "%d.%m.%Y",
        "delimiter": ";",
        "encoding": "latin1",
        "null_values": ["", "NA"],
    }
    assert table.frame["n"].to_list() == [None, 3]


def test_a_folder_is_read_as_one_table(tmp_path: Path) -> None:
    written(tmp_path, "n\n1\n")
    written(tmp_path, "n\n2.5\n", "b.csv")
    assert read_table(tmp_path).frame["n"].to_list() == [1.0, 2.5]


@pytest.mark.parametrize("kind", ["parquet", "json", "delta"])
def test_other_formats_bring_their_types_and_what_no_document_declares_is_left_out(tmp_path: Path, kind: str) -> None:
    frame = pl.DataFrame({"n": [1, 2], "s": ["a", None], "l": [[1], [2]]})
    path = tmp_path / {"parquet": "a.parquet", "json": "a.ndjson", "delta": "table"}[kind]
    match kind:
        case "parquet":
            frame.write_parquet(path)
        case "json":
            frame.write_ndjson(path)
        case _:
            delta.append(str(path), frame, transactions={}, add_columns=True)
    table = read_table(path)
    assert (table.format, table.columns, table.left_out) == (
        kind,
        {"n": "int", "s": "string"},
        ("'l' is of a type that no document declares",),
    )


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "n\n", "has no rows"),
        ("a.xlsx", "PK", "neither a Delta table nor a file"),
        ("a.csv", "n,n\n1,2\n", "more than one column is called 'n'"),
        ("a.csv", "n\n1\n1,2,3\n", "cannot be read: a line has more values than the header names"),
        ("a.csv", 'n,m\n"1,2\n3,4\n', "a quote is not closed"),
        ("a.csv", "1,2.5,a\n2,3.5,b\n", "its first line is data"),
        ("a.csv.gz", "n\n1\n", "cannot be read: Not a gzipped file"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(ScaffoldError, match=told):
        read_table(written(tmp_path, text, name))


def test_a_packed_file_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"2013,n\n1,x\n"))
    assert (read_table(path).format, read_table(path).columns) == ("csv", {"2013": "int", "n": "string"})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="there is no file or folder"):
        read_table(tmp_path / "none.csv")
