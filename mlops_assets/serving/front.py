"""The invocations route as plain ASGI: every prediction passes here, so nothing stands between it and the server."""

import time
from dataclasses import dataclass
from logging import getLogger
from random import getrandbits

from starlette.types import ASGIApp, Receive, Scope, Send

from mlops_assets.serving.access import Access
from mlops_assets.serving.endpoint_state import Endpoint
from mlops_assets.serving.fleet import Fleet
from mlops_assets.serving.http import Refusal, bearer, failure, limited_body, refusal_answer
from mlops_assets.serving.inference_log import InferenceLog
from mlops_assets.serving.invocations import Answer, answer, record
from mlops_assets.serving.limits import Bucket, retry_after
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.online_features import completed
from mlops_assets.serving.shadow import Shadows

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
        try:
            headers, given = await self._invoke(scope, receive, path[len(PREFIX) : -len(SUFFIX)])
        except Refusal as refusal:
            await refusal_answer(refusal)(scope, receive, send)
            return
        except Exception as error:
            log.exception("an invocation failed")
            await refusal_answer(failure(error))(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": given.status, "headers": headers})
        await send({"type": "http.response.body", "body": given.body})

    async def _invoke(self, scope: Scope, receive: Receive, name: str) -> tuple[list[tuple[bytes, bytes]], Answer]:
        if scope["method"] != "POST":
            raise Refusal(405, "Rows are sent with POST.")
        name, _, served = name.partition(SERVED)
        endpoint = self._allowed(scope, name)
        body = await limited_body(scope, receive)
        begun = time.perf_counter()
        if endpoint.record.settings.online_features is not None:
            body = await self._with_features(endpoint, endpoint.record.settings.online_features, body)
        try:
            given = await answer(endpoint, body, served or None)
        except LookupError as error:
            raise Refusal(404, str(error.args[0])) from None
        seconds = time.perf_counter() - begun
        entity = given.entity
        who = entity.name if entity else ""
        self.metrics.observe(name, who, given.status, given.rows, seconds)
        request_id = f"{getrandbits(128):032x}"
        record(self.log, endpoint, given, body, request_id, seconds)
        if not served and endpoint.serving is not None and endpoint.serving.shadow_percentage and given.status == 200:
            self.shadows.compare(endpoint, given, body)
        if given.status >= 500:
            log.warning("request %s of %s: %d from %s", request_id, name, given.status, who or "nobody")
        return _headers(request_id, who, given.body), given

    async def _with_features(self, endpoint: Endpoint, table: str, body: bytes) -> bytes:
        versions = endpoint.serving.versions if endpoint.serving else ()
        columns = dict.fromkeys(column.name for version in versions for column in version.columns)
        return await completed(self.fleet.home.root, table, body, list(columns))

    def _allowed(self, scope: Scope, name: str) -> Endpoint:
        known = self.fleet.endpoints.get(name)
        if not self.local or known is None or known.record.settings.enable_access_control:
            token = bearer(scope)
            if not self.access.may_query(token, name):
                raise Refusal(403, "Invalid access token, or one that may not query this endpoint.")
        if known is None:
            raise Refusal(404, f"The endpoint '{name}' does not exist.")
        limit = known.record.settings.requests_per_minute
        if limit is not None:
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
