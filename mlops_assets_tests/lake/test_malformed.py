"""Each malformed input: one helpful sentence, the tables as they were, and the next good run goes on."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.polars import POLARS, PolarsEngine
from mlops_assets_tests.lake.conftest import Lake

Write = Callable[[Path], object]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, POLARS)


def parquet(frame: pl.DataFrame, cut: int | None = None) -> Write:
    def write(path: Path) -> None:
        frame.write_parquet(path)
        if cut is not None:
            path.write_bytes(path.read_bytes()[:cut])

    return write


GOOD = pl.DataFrame({"id": [1, 2], "name": ["a", "b"]})
CASES: dict[str, tuple[str, dict[str, Any], Write, str]] = {
    "truncated parquet": ("parquet", {}, parquet(GOOD, cut=200), "truncated or not a Parquet file; copy it again"),
    "empty parquet": ("parquet", {}, parquet(GOOD, cut=0), "the file is empty; remove it, or write it again"),
    "parquet of another type": (
        "parquet",
        {},
        parquet(GOOD.with_columns(pl.col("id").cast(pl.String))),
        "column 'id' is String, and the table has it as Int64",
    ),
    "missing column": (
        "parquet",
        {"columns": {"id": "int", "name": "string"}},
        parquet(GOOD.drop("name")),
        "no column 'name'",
    ),
    "wrong quote": (
        "csv",
        {},
        lambda path: path.write_text('id,name\n1,"abc\n2,def\n'),
        "a quote in column 'name' is not closed",
    ),
    "wrong delimiter": (
        "csv",
        {},
        lambda path: path.write_text("id,name\n1,a,b\n"),
        "a line has more values than the header",
    ),
    "wrong encoding": (
        "csv",
        {},
        lambda path: path.write_bytes("id,name\n1,été\n".encode("latin1")),
        "it is not UTF-8; say `reader: {encoding: latin1}`",
    ),
    "csv of another type": (
        "csv",
        {},
        lambda path: path.write_text("id,name\nx,a\n"),
        "'x' in column 'id' is not of type i64; declare the column as string",
    ),
    "empty csv": ("csv", {}, lambda path: path.write_text(""), "the file is empty"),
    "cut json": ("json", {}, lambda path: path.write_text('{"id": 1, "name": "a"}\n{"id":'), "not readable as json"),
    "empty json": ("json", {}, lambda path: path.write_text(""), "the file is empty"),
}  # fmt: skip
GOOD_FILES: dict[str, Write] = {
    "parquet": parquet(GOOD),
    "csv": lambda path: GOOD.write_csv(path),
    "json": lambda path: GOOD.write_ndjson(path),
}


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_says_what_is_wrong_and_stops_nothing_after_it_is_mended(lake: Lake, case: str) -> None:
    kind, fields, write, sentence = CASES[case]
    config = lake.config(format=kind, **fields)
    GOOD_FILES[kind](lake.source / f"1.{kind}")
    lake.load(config)
    before = [delta.version(path) for path in (lake.tables.bronze, lake.tables.silver)]
    write(lake.source / f"2.{kind}")
    with pytest.raises(LakeError) as told:
        lake.ingest(config)
    assert sentence in str(told.value)
    assert f"2.{kind}" in str(told.value)
    assert "\n" not in str(told.value)
    lake.refine(config)
    assert [delta.version(path) for path in (lake.tables.bronze, lake.tables.silver)] == before
    GOOD_FILES[kind](lake.source / f"2.{kind}")
    assert lake.load(config).rows.written == 2
    assert delta.rows(lake.tables.silver) == 4


def test_a_declared_encoding_is_read(lake: Lake) -> None:
    for name, encoding in (("a", "latin1"), ("b", "utf16"), ("c", "cp1252")):
        (lake.source / f"{name}.csv").write_bytes("id,name\n1,été €\n".replace(" €", "").encode(encoding))
        lake.load(lake.config(source_path=str(lake.source / f"{name}.csv"), reader={"encoding": encoding}))
    assert delta.scan(lake.tables.silver).collect()["name"].to_list() == ["été"] * 3


def test_every_option_of_the_reader_is_followed(lake: Lake) -> None:
    lake.write("a.csv", "1;'x;y';NA;31.12.2024;31.12.2024 23.59\n")
    reader = {
        "header": False,
        "delimiter": ";",
        "quote_char": "'",
        "null_values": ["NA"],
        "date_format": "%d.%m.%Y",
        "datetime_format": "%d.%m.%Y %H.%M",
    }
    columns = {"id": "int", "text": "string", "n": "int", "day": "date", "at": "datetime"}
    lake.load(lake.config(columns=columns, reader=reader))
    [row] = delta.scan(lake.tables.silver).collect().rows()
    assert row[:3] == (1, "x;y", None)
    assert (row[3].isoformat(), row[4].isoformat()) == ("2024-12-31", "2024-12-31T23:59:00+00:00")


def test_json_lines_globs_and_folders_that_state_a_column_are_read(lake: Lake) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        folder = lake.source / f"day={day}"
        folder.mkdir()
        (folder / "part.jsonl").write_text('{"id": 1, "tags": ["a"]}\n')
    (lake.source / "_temporary").mkdir()
    (lake.source / "_temporary" / "part.jsonl").write_text("not yet")
    lake.load(lake.config(format="json"))
    assert delta.scan(lake.tables.silver).sort("day").collect()["day"].to_list() == ["2024-01-01", "2024-01-02"]
    config = lake.config(format="json", source_path=str(lake.source / "day=*" / "*.jsonl"))
    assert lake.ingest(config).known == 2


FOREIGN = {
    "typeWidening": {"minReaderVersion": 3, "readerFeatures": ["typeWidening"]},
    "madeUp": {"minReaderVersion": 3, "readerFeatures": ["madeUp"]},
}
READ = {
    "columnMapping in version 2": ({"minReaderVersion": 2, "minWriterVersion": 5}, True),
    "columnMapping": ({"minReaderVersion": 3, "readerFeatures": ["columnMapping"]}, True),
    "v2Checkpoint": ({"minReaderVersion": 3, "readerFeatures": ["v2Checkpoint"]}, False),
}


def foreign(path: Path, protocol: dict[str, Any], *, mapped: bool = False) -> str:
    """A Delta table as another engine would write it: a protocol, a schema, a file a commit."""
    (path / "_delta_log").mkdir(parents=True)
    features = {"writerFeatures": protocol["readerFeatures"]} if "readerFeatures" in protocol else {}
    own = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"} if mapped else {}
    field = {"name": "x", "type": "long", "nullable": True, "metadata": own}
    metadata = {
        "id": "e67c7ff8-6cb8-48e3-b813-6ae685f01d19",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [field]}),
        "partitionColumns": [],
        "configuration": {"delta.columnMapping.mode": "name"} if mapped else {},
        "createdTime": 1,
    }
    first = [{"protocol": {"minWriterVersion": 7, **features, **protocol}}, {"metaData": metadata}]
    for version, actions in enumerate((first, [])):
        frame = pl.DataFrame({"col-1" if mapped else "x": [version, version + 10]})
        frame.write_parquet(path / f"{version}.parquet")
        size = (path / f"{version}.parquet").stat().st_size
        add = {"path": f"{version}.parquet", "partitionValues": {}, "size": size, "modificationTime": 1}
        lines = [*actions, {"add": {**add, "dataChange": True, "stats": json.dumps({"numRecords": 2})}}]
        (path / "_delta_log" / f"{version:020}.json").write_text("\n".join(map(json.dumps, lines)))
    return str(path)


@pytest.mark.parametrize("feature", FOREIGN)
def test_a_delta_table_with_a_feature_that_is_not_read_is_refused_by_its_name(
    lake: Lake, tmp_path: Path, feature: str
) -> None:
    source = foreign(tmp_path / "foreign", FOREIGN[feature])
    with pytest.raises(LakeError, match=feature):
        lake.ingest(lake.config(source_path=source, format="delta"))
    assert not delta.exists(lake.tables.bronze)


@pytest.mark.parametrize("case", READ)
def test_a_foreign_delta_table_is_read_with_its_values_first_whole_and_then_what_was_added(
    lake: Lake, tmp_path: Path, case: str
) -> None:
    protocol, mapped = READ[case]
    source = foreign(tmp_path / "foreign", protocol, mapped=mapped)
    lake.load(lake.config(source_path=source, format="delta", source_version=0))
    assert sorted(delta.scan(lake.tables.silver).collect()["x"]) == [0, 10]
    lake.load(lake.config(source_path=source, format="delta"))
    assert sorted(delta.scan(lake.tables.silver).collect()["x"]) == [0, 1, 10, 11]


RUN = """
import sys
from pathlib import Path
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.refine import DataTables, refine
from mlops_assets.lake.batch import Run
from mlops_assets.config import DataConfig
source, bronze, silver, quarantine, *nobody = sys.argv[1:]
config = DataConfig(source_path=source, destination_path="main.orders", format="csv")
if nobody:
    import os
    # Everything is imported before the rights to read it are given up.
    ingest(config, source, bronze + "_of_root", POLARS)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    ingest(config, source, bronze, POLARS)
    refine(config, DataTables(bronze, silver, quarantine), Run("r"), {}, POLARS)
except LakeError as error:
    print(error)
    sys.exit(3)
"""


def in_a_process(lake: Lake, *more: str, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    tables = lake.tables
    arguments = [str(lake.source), tables.bronze, tables.silver, tables.quarantine, *more]
    command = [sys.executable, "-W", "ignore", "-c", RUN, *arguments]
    return subprocess.run(command, preexec_fn=before, capture_output=True, text=True, check=False)


def test_a_full_disk_is_told_and_what_was_there_stays(lake: Lake) -> None:
    lake.write("a.csv", "id,name\n1,a\n")
    lake.load(lake.config())
    noise = "\n".join(f"{number},{os.urandom(40).hex()}" for number in range(50_000))
    lake.write("b.csv", f"id,name\n{noise}\n")
    full = in_a_process(lake, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)))
    assert full.returncode == 3, full.stderr
    assert "cannot be written, and nothing was: File too large" in full.stdout
    assert delta.rows(lake.tables.bronze) == 1
    lake.load(lake.config())
    assert delta.rows(lake.tables.silver) == 50_001


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_a_destination_that_cannot_be_written_is_told_and_what_was_there_stays(lake: Lake, tmp_path: Path) -> None:
    lake.write("a.csv", "id,name\n1,a\n")
    lake.load(lake.config())
    lake.write("b.csv", "id,name\n2,b\n")
    for folder in (tmp_path, *tmp_path.parents):
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)

    refused = in_a_process(lake, "nobody")
    assert refused.returncode == 3, refused.stderr
    assert "cannot be written, and nothing was: Permission denied" in refused.stdout
    assert delta.rows(lake.tables.bronze) == 1
    lake.load(lake.config())
    assert delta.rows(lake.tables.silver) == 2


def test_a_table_that_is_clustered_is_told_at_once_when_it_is_to_be_written(tmp_path: Path) -> None:
    table = str(tmp_path / "clustered")
    pl.DataFrame({"id": [1]}).write_delta(table)
    protocol = {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["clustering", "domainMetadata"]}
    (tmp_path / "clustered" / "_delta_log" / f"{1:020}.json").write_text(json.dumps({"protocol": protocol}))

    with pytest.raises(LakeError, match=r"clustered: the table is clustered \(CLUSTER BY\)"):
        delta.append(table, pl.DataFrame({"id": [2]}), transactions={})
    assert delta.scan(table).collect().height == 1


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk that has room for no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_temporary_folder_is_told_before_a_source_is_read(lake: Lake) -> None:
    config = lake.config(reader={"encoding": "latin1"})
    (lake.source / "a.csv").write_bytes("id,name\n1,été\n".encode("latin1"))
    lake.load(config)
    (lake.source / "b.csv").write_bytes(b"id,name\n" + b"2,x\n" * 100_000)
    with files_of_at_most(200_000), pytest.raises(LakeError, match=r"temporary folder has no room .*File too large"):
        lake.ingest(config)
    assert delta.rows(lake.tables.bronze) == 1
    lake.load(config)
    assert delta.rows(lake.tables.silver) == 100_001


def test_a_full_temporary_folder_is_told_before_a_run_of_many_rows_writes_any(tmp_path: Path) -> None:
    class Small(PolarsEngine):
        rows_at_once = 10_000

    lake = Lake(tmp_path, Small())
    lake.write("a.csv", "id,name\n" + "".join(f"{number},{'x' * 40}\n" for number in range(50_000)))
    config = lake.config()
    lake.ingest(config)
    with files_of_at_most(200_000), pytest.raises(LakeError, match="set TMPDIR to a folder"):
        lake.refine(config)
    assert not delta.exists(lake.tables.silver)
    assert not delta.exists(lake.tables.quarantine)
    assert lake.refine(config).rows.written == 50_000
