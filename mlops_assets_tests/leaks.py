"""Where a secret was written: every file below a folder, looked into as far as it is packed."""

import base64
import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import polars as pl

PACKED = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"PAR1": "parquet"}


def leaks(folder: Path, secrets: Sequence[str], allowed: Sequence[Path] = ()) -> list[str]:
    """The files that hold one of the secrets, as it is or encoded; those below `allowed` may."""
    forms = [form for secret in secrets for form in encoded(secret)]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    looked_at = [path for path in files if not any(path.is_relative_to(each) for each in allowed)]
    return [
        str(path.relative_to(folder))
        for path in looked_at
        if any(form in content for content in contents(path.read_bytes()) for form in forms)
    ]


def encoded(secret: str) -> list[bytes]:
    """A secret as it is, in a URL, and in base64 (but for its last letters, which depend on what follows)."""
    plain = base64.b64encode(secret.encode()).rstrip(b"=")[:-1]
    return [secret.encode(), quote(secret, safe="").encode(), plain]


def contents(data: bytes) -> Iterator[bytes]:
    """The bytes themselves, and what is packed in them."""
    yield data
    kind = next((kind for start, kind in PACKED.items() if data.startswith(start)), "")
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            for name in file.namelist():
                yield from contents(file.read(name))
    elif kind == "gzip":
        yield from contents(gzip.decompress(data))
    elif kind == "parquet":
        yield pl.read_parquet(io.BytesIO(data)).write_json().encode()
