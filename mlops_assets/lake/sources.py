"""What a documented source consists of now: files with fingerprints, or a Delta table's versions."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import urlparse

from mlops_assets.lake.errors import LakeError, SourceMissing, nearest

EXTENSIONS = {"csv": (".csv",), "parquet": (".parquet",), "json": (".json", ".jsonl", ".ndjson")}
CHUNK = 1 << 20
REMOTE_SCHEMES = ("s3", "s3a", "gs", "abfs", "abfss", "az", "adl", "https", "http")


@dataclass(frozen=True)
class SourceFile:
    """One file of a source. `name` is its path below the source's folder, which does not move with the home folder."""

    path: Path
    name: str

    @cached_property
    def state(self) -> int:
        """A number that changes whenever size or time of change do: cheap, may change without the content."""
        stat = self.path.stat()
        return _number(f"{stat.st_size}:{stat.st_mtime_ns}".encode())

    @cached_property
    def content(self) -> int:
        """A number that changes exactly when the bytes do: reads the file."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return _number(digest.digest())


def _number(data: bytes) -> int:
    """63 bits: what a Delta transaction identifier can carry."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8]) >> 1


def is_remote(path: str) -> bool:
    """Whether the path is an object store's URL."""
    return urlparse(path).scheme.lower() in REMOTE_SCHEMES


def source_files(location: str, format: str) -> list[SourceFile]:  # noqa: A002 - the documents' own word
    """The files of a folder, a glob or a single path, in the order of their names.

    Raises:
        SourceMissing: nothing is there, naming the nearest thing that is.
    """
    if is_remote(location):
        raise LakeError(f"{location}: this version reads sources on this machine only; copy the files into a folder")
    root, files = _listed(location, EXTENSIONS[format])
    if not files:
        raise SourceMissing(f"no {format} file at {location}{_present(location)}")
    return [SourceFile(path, path.relative_to(root).as_posix()) for path in sorted(files)]


def _listed(location: str, extensions: tuple[str, ...]) -> tuple[Path, list[Path]]:
    path = Path(location)
    if has_magic(location):
        root = Path(*path.parts[: next(i for i, part in enumerate(path.parts) if has_magic(part))])
        return root, [Path(name) for name in glob(location, recursive=True) if Path(name).is_file()]
    if path.is_dir():
        return path, [file for file in path.rglob("*") if file.suffix in extensions and file.is_file()]
    return path.parent, [path] if path.is_file() else []


def _present(location: str) -> str:
    """What the nearest existing folder holds instead."""
    folder = Path(location)
    while not folder.is_dir():
        folder = folder.parent
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return f"; {folder} is empty"
    return f"; {folder} holds {', '.join(names[:5])}" + nearest(Path(location).name, names)
