"""The invocations route as plain ASGI, without a framework in between, since every prediction passes here."""

import time
from dataclasses import dataclass
from logging import getLogger
from random import getrandbits

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mlops_assets.serving.gateway.access import Access
from mlops_assets.serving.gateway.endpoint_state import Endpoint
from mlops_assets.serving.gateway.fleet import Fleet
from mlops_assets.serving.gateway.http import Refusal, bearer, failure, given_token, limited_body, refusal_answer
from mlops_assets.serving.gateway.invocations import Answer, answer, record
from mlops_assets.serving.gateway.limits import Bucket, retry_after
from mlops_assets.serving.gateway.metrics import Metrics
from mlops_assets.serving.gateway.online_features import completed
from mlops_assets.serving.gateway.shadow import Shadows
from mlops_assets.serving.inference_log.recording import InferenceLog
from mlops_assets.serving.payload import error_body

log = getLogger("mlops_assets.gateway")
PREFIX, SUFFIX, SERVED = "/serving-endpoints/", "/invocations", "/served-models/"


@dataclass
class Front:
    """Answers invocations and hands every other request to `rest`."""

    rest: ASGIApp
    fleet: Fleet
    access: Access
    metrics: Metrics
    log: InferenceLog
    shadows: Shadows
    local: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path.startswith(PREFIX) and path.endswith(SUFFIX)):
            await self.rest(scope, receive, send)
            return
        name, _, served = path[len(PREFIX) : -len(SUFFIX)].partition(SERVED)
        begun = time.perf_counter()
        try:
            headers, given = await self._invoke(scope, receive, name, served)
        except Refusal as refusal:
            await self._refused(refusal, name, begun)(scope, receive, send)
            return
        except Exception as error:
            log.exception("an invocation failed")
            await self._refused(failure(error), name, begun)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": given.status, "headers": headers})
        await send({"type": "http.response.body", "body": given.body})

    def _refused(self, refusal: Refusal, name: str, begun: float) -> Response:
        """The answer, counted; a name that is no endpoint's counts as none, so that callers make no new series."""
        known = name if name in self.fleet.endpoints else ""
        self.metrics.observe(known, "", refusal.status, 0, time.perf_counter() - begun)
        return refusal_answer(refusal)

    async def _invoke(
        self, scope: Scope, receive: Receive, name: str, served: str
    ) -> tuple[list[tuple[bytes, bytes]], Answer]:
        if scope["method"] != "POST":
            raise Refusal(405, "Rows are sent with POST.")
        # A deployment's tests and a canary's questions are no callers': neither their limit nor their log is concerned.
        probe = bool(served) and self.access.may_manage(given_token(scope))
        endpoint = self._allowed(scope, name, limited=not probe)
        body = await limited_body(scope, receive)
        begun = time.perf_counter()
        body, given = await self._answered(endpoint, body, served)
        seconds = time.perf_counter() - begun
        entity = given.entity
        who = entity.name if entity else ""
        self.metrics.observe(name, who, given.status, given.rows, seconds)
        request_id = f"{getrandbits(128):032x}"
        if not probe:
            record(self.log, endpoint, given, body, request_id, seconds)
        if not served and endpoint.serving is not None and endpoint.serving.shadow_percentage and given.status == 200:
            self.shadows.compare(endpoint, given, body)
        if given.status >= 500:
            log.warning("request %s of %s: %d from %s", request_id, name, given.status, who or "nobody")
        return _headers(request_id, who, given.body), given

    async def _answered(self, endpoint: Endpoint, body: bytes, served: str) -> tuple[bytes, Answer]:
        """The body, with features where it brought keys, and what is answered to it."""
        table = endpoint.record.settings.online_features
        if table is not None:
            try:
                body = await self._with_features(endpoint, table, body)
            except Refusal as refusal:
                return body, Answer(refusal.status, error_body(refusal.code, str(refusal), refusal.field))
        try:
            return body, await answer(endpoint, body, served or None)
        except LookupError as error:
            raise Refusal(404, str(error.args[0])) from None

    async def _with_features(self, endpoint: Endpoint, table: str, body: bytes) -> bytes:
        versions = endpoint.serving.versions if endpoint.serving else ()
        columns = dict.fromkeys(column.name for version in versions for column in version.columns)
        return await completed(self.fleet.home.root, table, body, list(columns))

    def _allowed(self, scope: Scope, name: str, *, limited: bool) -> Endpoint:
        known = self.fleet.endpoints.get(name)
        if not self.local or known is None or known.record.settings.enable_access_control:
            token = bearer(scope)
            if not self.access.may_query(token, name):
                raise Refusal(403, "Invalid access token, or one that may not query this endpoint.")
        if known is None:
            raise Refusal(404, f"The endpoint '{name}' does not exist.")
        limit = known.record.settings.requests_per_minute
        if limited and limit is not None:
            if known.bucket is None or known.bucket.per_minute != limit:
                known.bucket = Bucket(limit)
            if wait := known.bucket.take():
                message = f"The endpoint '{name}' takes {limit} requests a minute."
                raise Refusal(429, message, headers={"Retry-After": retry_after(wait)})
        return known


def _headers(request_id: str, served: str, body: bytes) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    return [*headers, (b"served-model-name", served.encode())] if served else headers
