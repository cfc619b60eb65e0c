"""Files in object stores (`s3://`, `gs://`, `abfss://` …) and on web servers; credentials are the environment's own."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlops_assets.lake.errors import LakeError


@dataclass(frozen=True)
class Entry:
    """A file: its URL, its name below the folder that was listed, and what changes when it does."""

    address: str
    name: str
    stamp: str


def entries(root: str) -> list[Entry]:
    """All files below the URL of a folder, or the one that it is.

    Raises:
        LakeError: the store does not answer, or refuses.
    """
    if root.startswith(("http://", "https://")):
        return [_web_page(root)]
    from pyarrow.fs import FileSelector, FileType

    with _answering(root):
        listed = _store(root).get_file_info(FileSelector("", recursive=True, allow_not_found=True))
        files = [each for each in listed if each.type == FileType.File]
        if files:
            return [_entry(f"{root.rstrip('/')}/{each.path}", each.path, each) for each in files]
        folder, _, name = root.rstrip("/").rpartition("/")
        alone = _store(folder).get_file_info(name)
    return [_entry(root, name, alone)] if alone.type == FileType.File else []


def copy(address: str, target: Path) -> None:
    """The file at a URL, written to `target`."""
    if address.startswith(("http://", "https://")):
        import httpx

        with (
            _answering(address),
            httpx.stream("GET", address, follow_redirects=True) as answer,
            target.open("wb") as to,
        ):
            answer.raise_for_status()
            for part in answer.iter_bytes():
                to.write(part)
        return
    folder, _, name = address.rpartition("/")
    with _answering(address), _store(folder).open_input_stream(name) as source, target.open("wb") as to:
        shutil.copyfileobj(source, to, 1 << 20)


def _entry(address: str, name: str, info: Any) -> Entry:
    return Entry(address, name, f"{info.size}:{info.mtime_ns}")


def _web_page(address: str) -> Entry:
    import httpx

    with _answering(address):
        answer = httpx.head(address, follow_redirects=True).raise_for_status()
    validators = [answer.headers.get(name, "") for name in ("etag", "last-modified", "content-length")]
    return Entry(address, PurePosixPath(httpx.URL(address).path).name, ":".join(validators))


def _store(root: str) -> Any:
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    return PyFileSystem(DeltaStorageHandler(root, None))


@contextmanager
def _answering(address: str) -> Iterator[None]:
    import httpx
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (OSError, DeltaError, httpx.HTTPError, ValueError) as error:
        detail = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())[:300]
        raise LakeError(f"{address}: cannot be read: {detail}") from error
