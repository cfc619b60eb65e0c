"""Where a gateway keeps its things under `MLOPS_HOME`, and how its files are written."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

MIN_TOKEN_LENGTH = 16


class TokenFileError(ValueError):
    """The token file holds no usable token, or others may read it."""


@dataclass(frozen=True)
class GatewayHome:
    """The gateway's files of one `MLOPS_HOME`."""

    root: Path

    @property
    def folder(self) -> Path:
        """Everything of the gateway but its token."""
        return self.root / "gateway"

    @property
    def token_file(self) -> Path:
        """The bearer token, readable by its owner only."""
        return self.root / "gateway.token"

    @property
    def tokens_file(self) -> Path:
        """Further tokens, as digests, with the endpoints they may query."""
        return self.folder / "tokens.json"

    @property
    def hash_key_file(self) -> Path:
        """The key of the hashes that replace sensitive values in inference tables."""
        return self.folder / "hash.key"

    @property
    def endpoints(self) -> Path:
        """One JSON file per endpoint: what is deployed."""
        return self.folder / "endpoints"

    @property
    def spool(self) -> Path:
        """Requests that are not in their inference table yet."""
        return self.folder / "spool"

    @property
    def worker_logs(self) -> Path:
        """What the processes behind each served model print, a file a model."""
        return self.folder / "logs"

    @property
    def lock_file(self) -> Path:
        """Held by the one gateway of this home."""
        return self.folder / "gateway.lock"

    @property
    def address_file(self) -> Path:
        """Where the running gateway listens: pid, host, port, started."""
        return self.folder / "gateway.json"

    @property
    def log_file(self) -> Path:
        """What a detached gateway and its workers print."""
        return self.folder / "gateway.log"


def home_from_environment() -> GatewayHome:
    """The home that `MLOPS_HOME` names, `.mlops` in the current folder without it."""
    return GatewayHome(Path(os.environ.get("MLOPS_HOME") or ".mlops").resolve())


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, on disk before this returns, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def read_token(home: GatewayHome, *, create: bool = False) -> str:
    """The token in `home`; with `create` a new one is written if there is none.

    Raises TokenFileError where it is missing or too short.
    """
    path = home.token_file
    if create and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_token(path)
    if not path.exists():
        raise TokenFileError(f"{path} is missing: start the gateway once, it writes it.")
    token = path.read_text(encoding="utf-8").strip()
    if len(token) < MIN_TOKEN_LENGTH:
        raise TokenFileError(f"{path} holds no token of {MIN_TOKEN_LENGTH} characters: delete it, a new one is made.")
    return token


def read_hash_key(home: GatewayHome) -> bytes:
    """The key in `home`, created once: with another key, equal values would not have equal hashes."""
    if not home.hash_key_file.exists():
        write_atomically(home.hash_key_file, secrets.token_hex(32))
    return bytes.fromhex(home.hash_key_file.read_text(encoding="utf-8"))


def require_private_token(home: GatewayHome) -> None:
    """Raise TokenFileError where other users may read the token."""
    mode = home.token_file.stat().st_mode & 0o777
    if mode & 0o077:
        raise TokenFileError(f"{home.token_file} has mode {mode:04o}: make it 0600 before listening beyond loopback.")


def _create_token(path: Path) -> None:
    """Two processes may get here at once: the link makes whole content appear, and only the first one's."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf-8")
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
