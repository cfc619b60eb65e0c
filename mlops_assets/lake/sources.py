"""What a documented source consists of now: files with fingerprints, on this machine or in an object store."""

import gzip
import hashlib
import os
import re
import zlib
from codecs import getreader
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

from mlops_assets.config.locations import REMOTE_SCHEMES
from mlops_assets.lake.errors import LakeError, SourceMissing, nearest
from mlops_assets.lake.fingerprints import fingerprint
from mlops_assets.lake.stores import copy, entries
from mlops_assets.lake.temporary import temporary_folder

EXTENSIONS = {"csv": (".csv", ".csv.gz"), "parquet": (".parquet",), "json": (".json", ".jsonl", ".ndjson")}
CHUNK = 1 << 20
PACKED = ".gz"
PRIVATE = ("_", ".")  # begins the names of what a writer has in a folder for itself (`_temporary/…`)
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, at a path or URL. `name` is its path below the source's folder, which does not move with
    the home folder; `stamp` changes whenever the store says that the file may have changed; `here` is a copy of it on
    this machine, in UTF-8 where it is text.
    """

    address: str
    name: str
    stamp: str
    here: Path | None = None

    @property
    def path(self) -> Path:
        """Where the file can be read."""
        return self.here or Path(self.address)

    @property
    def state(self) -> int:
        """A number that changes whenever size or time of change do: cheap, may change without the content."""
        return fingerprint(self.stamp.encode())

    @property
    def folders(self) -> dict[str, str | None]:
        """Columns that the names of its folders state, as `day=2024-01-01` does."""
        stated = [part.split("=", 1) for part in PurePosixPath(self.name).parts[:-1] if "=" in part]
        return {column: None if value == NO_VALUE else unquote(value) for column, value in stated}

    def content(self) -> int:
        """A number that changes exactly when the bytes do: reads the file."""
        with self.fetched() as file, file.path.open("rb") as stream:
            return fingerprint(hashlib.file_digest(stream, "sha256").digest())

    @contextmanager
    def fetched(self) -> Iterator["SourceFile"]:
        """The file on this machine; a remote one is copied for as long as it is needed."""
        if self.here or not is_remote(self.address):
            yield self
            return
        with temporary_folder() as folder:
            target = folder / PurePosixPath(self.name).name
            copy(self.address, target)
            yield replace(self, here=target)

    @contextmanager
    def as_utf8(self, encoding: str) -> Iterator["SourceFile"]:
        """The same file, or a copy in UTF-8, unpacked, where it is text in another encoding.

        Raises:
            LakeError: a byte that the encoding does not know, or a packed file that is none.
        """
        if encoding.startswith("utf8"):
            yield self
            return
        with temporary_folder() as folder:
            packed = self.path.name.endswith(PACKED)
            target = folder / self.path.name.removesuffix(PACKED)
            try:
                with (
                    (gzip.open if packed else open)(self.path, "rb") as raw,
                    target.open("w", encoding="utf8", newline="") as to,
                ):
                    reader = getreader(encoding)(raw)
                    while text := reader.read(CHUNK):
                        to.write(text)
            except (UnicodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise LakeError(f"{self.address}: not readable as {encoding}: {error}") from error
            yield replace(self, here=target)


def is_remote(path: str) -> bool:
    """Whether the path is an object store's URL."""
    return urlparse(path).scheme.lower() in REMOTE_SCHEMES


def source_files(location: str, format: str) -> list[SourceFile]:  # noqa: A002 - the documents' own word
    """The files of a folder, a glob or a single path, in the order of their names.

    Raises:
        SourceMissing: nothing is there, naming the nearest thing that is.
        LakeError: an object store does not answer.
    """
    if is_remote(location):
        files, present = _remote_files(location, EXTENSIONS[format]), ""
    else:
        files = _local_files(location, EXTENSIONS[format])
        present = "" if files else _present(location)
    if not files:
        raise SourceMissing(f"no {format} file at {location}{present}")
    return sorted(files, key=lambda file: file.name)


def formats_at(location: str) -> list[str]:
    """The formats of files that a path, folder or glob on this machine has; of a store none is looked for."""
    if is_remote(location):
        return []
    found = {kind: _local_files(location, endings) for kind, endings in EXTENSIONS.items()}
    return [kind for kind, files in found.items() if any(file.address.endswith(EXTENSIONS[kind]) for file in files)]


def local_file(path: Path, root: Path) -> SourceFile:
    """A file on this machine, below the folder that its name is relative to."""
    return SourceFile(str(path), path.relative_to(root).as_posix(), _stamp(path.stat()))


def _stamp(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def _local_files(location: str, extensions: tuple[str, ...]) -> list[SourceFile]:
    path = Path(location)
    if has_magic(location):
        root = Path(*path.parts[: next(i for i, part in enumerate(path.parts) if has_magic(part))])
        return [local_file(Path(name), root) for name in glob(location, recursive=True) if Path(name).is_file()]
    if path.is_dir():
        return list(_below(str(path), "", extensions))
    return [local_file(path, path.parent)] if path.is_file() else []


def _below(folder: str, within: str, extensions: tuple[str, ...]) -> Iterator[SourceFile]:
    """A folder's files and those of its folders; one look at each, because a source may have very many."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = within + entry.name
            if entry.name.startswith(PRIVATE):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, f"{name}/", extensions)
            elif entry.name.endswith(extensions) and entry.is_file():
                yield SourceFile(entry.path, name, _stamp(entry.stat()))


def _wanted(name: str, extensions: tuple[str, ...]) -> bool:
    """Of a folder's files those of the format, but not what a writer has there for itself."""
    return name.endswith(extensions) and not any(part.startswith(PRIVATE) for part in name.split("/"))


def _remote_files(location: str, extensions: tuple[str, ...]) -> list[SourceFile]:
    parts = location.split("/")
    fixed = next((i for i, part in enumerate(parts) if has_magic(part)), len(parts))
    root, pattern = "/".join(parts[:fixed]), "/".join(parts[fixed:])
    found = entries(root)
    if pattern:
        found = [entry for entry in found if re.fullmatch(_expression(pattern), entry.name)]
    elif [entry.address for entry in found] != [root]:
        found = [entry for entry in found if _wanted(entry.name, extensions)]
    return [SourceFile(entry.address, entry.name, entry.stamp) for entry in found]


def _expression(pattern: str) -> str:
    """A glob as a regular expression: `*` stays within a folder, `**` goes below."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    return "".join(signs.get(part) or (part if part.startswith("[") else re.escape(part)) for part in parts)


def _present(location: str) -> str:
    """What the nearest existing folder holds instead."""
    folder = Path(location)
    while not folder.is_dir():
        folder = folder.parent
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return f"; {folder} is empty"
    return f"; {folder} holds {', '.join(names[:5])}" + nearest(Path(location).name, names)
