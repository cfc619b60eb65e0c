"""Who may do what: the gateway's own token may do everything, further tokens query the endpoints they name.

Further tokens are kept as SHA-256 digests in `tokens.json` of the gateway's folder; the token itself is shown once,
when it is made. Digests are compared in constant time, and every known one is looked at.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from mlops_assets.serving.gateway.files import write_atomically

ALL = "*"


@dataclass(frozen=True)
class Grant:
    """A further token: its name, its digest, the endpoints it may query (`*` is every one)."""

    name: str
    digest: str
    endpoints: tuple[str, ...]

    def may_query(self, endpoint: str) -> bool:
        """Whether it may query an endpoint."""
        return ALL in self.endpoints or endpoint in self.endpoints


@dataclass
class Access:
    """The tokens of one gateway; the file of further ones is read again when it has changed."""

    token: str
    file: Path
    _grants: tuple[Grant, ...] = ()
    _read_at: int = -1
    _own: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._own = _digest(self.token)

    def may_manage(self, given: str) -> bool:
        """Whether a token is the gateway's own."""
        return compare_digest(_digest(given), self._own)

    def may_query(self, given: str, endpoint: str) -> bool:
        """Whether a token may query an endpoint."""
        if self.may_manage(given):
            return True
        digest = sha256(given.encode()).hexdigest()
        found = [grant for grant in self.grants() if compare_digest(grant.digest, digest)]
        return any(grant.may_query(endpoint) for grant in found)

    def grants(self) -> tuple[Grant, ...]:
        """The further tokens."""
        changed = self.file.stat().st_mtime_ns if self.file.exists() else 0
        if changed != self._read_at:
            self._grants, self._read_at = tuple(read_grants(self.file).values()), changed
        return self._grants


def read_grants(file: Path) -> Mapping[str, Grant]:
    """Further tokens by name; none where there is no file."""
    if not file.exists():
        return {}
    listed = json.loads(file.read_text(encoding="utf-8"))
    return {name: Grant(name, each["sha256"], tuple(each["endpoints"])) for name, each in listed.items()}


def grant(file: Path, name: str, endpoints: tuple[str, ...]) -> str:
    """A new token called `name` that may query `endpoints`; one of that name is replaced. It is shown only here."""
    token = secrets.token_urlsafe(32)
    made = Grant(name, sha256(token.encode()).hexdigest(), endpoints)
    _write(file, {**read_grants(file), name: made})
    return token


def revoke(file: Path, name: str) -> bool:
    """Forget a further token; False where there was none of that name."""
    kept = dict(read_grants(file))
    found = kept.pop(name, None) is not None
    if found:
        _write(file, kept)
    return found


def _write(file: Path, grants: Mapping[str, Grant]) -> None:
    listed = {name: {"sha256": each.digest, "endpoints": list(each.endpoints)} for name, each in grants.items()}
    write_atomically(file, json.dumps(listed, indent=2))


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
