"""JSON requests of the typed clients: the SDK's authentication, pooled connections, a deadline, bounded retries.

Scoring changes nothing at the endpoint, so a request whose answer was lost is sent again.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    NotImplementedThere,
    ServingError,
    Throttled,
)
from mlops_assets.serving.loopback import is_loopback

if TYPE_CHECKING:
    from databricks.sdk.core import Config

ATTEMPTS = 5
LONGEST_MESSAGE = 500
_backoff = wait_random_exponential(multiplier=0.1, max=5)


@dataclass(frozen=True)
class Deadline:
    """When a call has to be over, its retries and all its requests included."""

    seconds: float
    begun: float = field(default_factory=time.monotonic)

    @property
    def remaining(self) -> float:
        """Seconds left; below zero when it is over."""
        return self.begun + self.seconds - time.monotonic()


class Transport:
    """Requests to one host from one event loop at a time."""

    def __init__(self, config: "Config", connections: int) -> None:
        """Connect nothing yet; at most `connections` requests are on their way at once."""
        self.config, self.connections = config, connections
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    async def send(self, endpoint: str, method: str, path: str, until: Deadline, body: bytes | None = None) -> Any:
        """The answer's JSON.

        Raises a ServingError: that of the last attempt where the attempts are used up or the time would be before the
        next, DeadlineExceeded where an attempt itself takes too long.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: bool(getattr(error, "transient", False))),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(max(0.0, until.remaining)),
            reraise=True,
        )
        try:
            async with asyncio.timeout(until.remaining):
                return await retrying(self._once, endpoint, method, path, body)
        except TimeoutError:
            where = f"'{endpoint}' at {self.config.host}"
            raise DeadlineExceeded(f"{where} gave no answer within {until.seconds:g} s.") from None

    async def _once(self, endpoint: str, method: str, path: str, body: bytes | None) -> Any:
        where = f"'{endpoint}' at {self.config.host}"
        # A token may have to be fetched first, which the SDK does over a connection of its own.
        token = await asyncio.to_thread(self._authenticate, where)
        headers = {**token, "Content-Type": "application/json", "Accept": "application/json"}
        try:
            answer = await self._connected().request(method, path, content=body, headers=headers)
        except httpx.TransportError as error:
            reason = "nothing answers there" if isinstance(error, httpx.ConnectError) else "the connection broke"
            raise _transient(EndpointUnavailable(f"{where} is not available: {reason}.")) from None
        if answer.status_code >= 300:
            _refuse(where, answer, _secrets(token))
        try:
            return answer.json()
        except (JSONDecodeError, UnicodeDecodeError):
            kind = answer.headers.get("content-type", "no type")
            raise _transient(EndpointUnavailable(f"{where} answered {kind}, which is not JSON.")) from None

    def _connected(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:  # connections end with the loop that made them
            self._loop = loop
            url = str(self.config.host)
            limits = httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections)
            # The environment's proxy is for other machines.
            proxied = not is_loopback(urlsplit(url).hostname or "")
            self._client = httpx.AsyncClient(base_url=url, timeout=None, limits=limits, trust_env=proxied)
        return self._client

    def _authenticate(self, where: str) -> dict[str, str]:
        try:
            return dict(self.config.authenticate())
        except (ValueError, OSError) as error:
            raise NotAuthorized(f"No token for {where}: {type(error).__name__} of {self.config.auth_type}.") from None


def _refuse(where: str, answer: httpx.Response, secrets: list[str]) -> NoReturn:
    status = answer.status_code
    details = _details(answer)
    reason = f"{details.get('error_code', '')} {details.get('message', '')}".strip() or f"HTTP {status}"
    for secret in secrets:
        reason = reason.replace(secret, "***")
    reason = reason[:LONGEST_MESSAGE]
    if status == 404:
        raise EndpointNotFound(f"There is no endpoint {where}: {reason}")
    if status in (401, 403):
        raise NotAuthorized(f"Not allowed to query {where}: {reason}")
    if status == 429:
        raise _transient(Throttled(f"{where} has too many requests: {reason}"), _retry_after(answer))
    if status in (500, 502, 503):
        raise _transient(EndpointUnavailable(f"{where} is not available: {reason}"), _retry_after(answer))
    if status in (408, 504):
        raise _transient(DeadlineExceeded(f"{where} was too slow: {reason}"), _retry_after(answer))
    if status == 501:
        raise NotImplementedThere(f"{where} does not offer this: {reason}")
    if 400 <= status < 500:
        raise InvalidInput(f"{where} refused the rows: {reason}", _field(details))
    raise ServingError(f"{where} answered HTTP {status}: {reason}")


def _details(answer: httpx.Response) -> Mapping[str, Any]:
    """The body of an error, empty where it is not the JSON object that Databricks writes."""
    try:
        body = answer.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _field(details: Mapping[str, Any]) -> str | None:
    """The field that an endpoint blames in an error's details, where it does."""
    for detail in details.get("details") or ():
        for violation in detail.get("field_violations") or () if isinstance(detail, dict) else ():
            return str(violation["field"])
    return None


def _secrets(headers: Mapping[str, str]) -> list[str]:
    return [word for value in headers.values() for word in value.split() if len(word) > 8]


def _transient(error: ServingError, retry_after: float | None = None) -> ServingError:
    error.transient, error.retry_after = True, retry_after
    return error


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds from now in a Retry-After header, given as seconds or as a date; None without one."""
    given = answer.headers.get("retry-after")
    if given is None:
        return None
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _wait(state: RetryCallState) -> float:
    """What the endpoint asks for, else longer each time with some chance in it."""
    error = state.outcome.exception() if state.outcome else None
    requested = getattr(error, "retry_after", None)
    return float(requested) if requested is not None else float(_backoff(state))
