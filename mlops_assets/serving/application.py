"""The gateway's HTTP surface: serving-endpoint routes, invocations, health, readiness, metrics."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from json import dumps
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.serving.fleet import EndpointExistsError, Fleet, UnknownEndpointError, UpdateInProgressError
from mlops_assets.serving.invocations import answer
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.payload import MAX_BODY_BYTES, error_body
from mlops_assets.serving.protocol import CreateEndpoint, PatchTags, UpdateConfig, problem_of

BodyModel = TypeVar("BodyModel", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]
ENDPOINTS = "/api/2.0/serving-endpoints"
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_TOO_LARGE",
}


class Refusal(Exception):  # noqa: N818 - the answer to a request, raised to leave its handler
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.field = status, code or _CODES[status], field


@dataclass
class Gateway:
    """What the routes work with."""

    fleet: Fleet
    token: str
    client: httpx.AsyncClient
    metrics: Metrics

    def authorize(self, request: Request) -> None:
        """Refuse a request without the gateway's bearer token."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise Refusal(401, "A token is needed: send the header 'Authorization: Bearer <token>'.")
        if not compare_digest(given.strip().encode(), self.token.encode()):
            raise Refusal(403, "Invalid access token.")

    async def list_endpoints(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints."""
        self.authorize(request)
        return _json({"endpoints": [endpoint.describe() for endpoint in self.fleet.endpoints.values()]})

    async def create(self, request: Request) -> Response:
        """POST /api/2.0/serving-endpoints."""
        self.authorize(request)
        return _json(self.fleet.create(await _read(request, CreateEndpoint)).describe())

    async def get(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints/{name}."""
        self.authorize(request)
        return _json(self.fleet.get(request.path_params["name"]).describe())

    async def delete(self, request: Request) -> Response:
        """DELETE /api/2.0/serving-endpoints/{name}."""
        self.authorize(request)
        self.fleet.delete(request.path_params["name"])
        return _json({})

    async def update(self, request: Request) -> Response:
        """PUT /api/2.0/serving-endpoints/{name}/config."""
        self.authorize(request)
        body = await _read(request, UpdateConfig)
        return _json(self.fleet.update(request.path_params["name"], body).describe())

    async def patch_tags(self, request: Request) -> Response:
        """PATCH /api/2.0/serving-endpoints/{name}/tags: the endpoint's tags afterwards."""
        self.authorize(request)
        endpoint = self.fleet.patch_tags(request.path_params["name"], await _read(request, PatchTags))
        return _json({"tags": [tag.model_dump() for tag in endpoint.record.tags]})

    async def invoke(self, request: Request) -> Response:
        """POST /serving-endpoints/{name}/invocations."""
        name = request.path_params["name"]
        known = self.fleet.endpoints.get(name)
        if known is None or known.record.settings.enable_access_control:
            self.authorize(request)
        endpoint = self.fleet.get(name)
        body = await _limited_body(request)
        begun = time.perf_counter()
        given = await answer(endpoint, body, self.client)
        seconds = time.perf_counter() - begun
        served = given.entity.name if given.entity else ""
        self.metrics.observe(name, served, given.status, given.rows, seconds)
        headers = {"x-request-id": uuid4().hex} | ({"served-model-name": served} if served else {})
        return Response(given.body, given.status, headers, "application/json")

    async def health(self, request: Request) -> Response:
        """GET /health: the process answers."""
        return _json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """GET /ready: 200 where every endpoint can answer, else 503 naming those that cannot."""
        waiting = sorted(name for name, endpoint in self.fleet.endpoints.items() if not endpoint.ready)
        return _json({"ready": not waiting, "not_ready": waiting}, 503 if waiting else 200)

    async def scrape(self, request: Request) -> Response:
        """GET /metrics."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def application(fleet: Fleet, token: str) -> Starlette:
    """The gateway as an ASGI application; its lifespan is that of the workers."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=60)
    client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)
    gateway = Gateway(fleet, token, client, Metrics(lambda: fleet.endpoints.values()))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        fleet.restore()
        try:
            yield
        finally:
            await fleet.close()
            await client.aclose()

    return Starlette(routes=_routes(gateway), lifespan=lifespan, exception_handlers=_exception_handlers())


def _routes(gateway: Gateway) -> list[Route]:
    one = f"{ENDPOINTS}/{{name}}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", ENDPOINTS, gateway.list_endpoints),
        ("POST", ENDPOINTS, gateway.create),
        ("POST", f"{ENDPOINTS}/", gateway.create),  # mlflow.deployments sends the slash
        ("GET", one, gateway.get),
        ("DELETE", one, gateway.delete),
        ("PUT", f"{one}/config", gateway.update),
        ("PATCH", f"{one}/tags", gateway.patch_tags),
        ("POST", "/serving-endpoints/{name}/invocations", gateway.invoke),
        ("GET", "/health", gateway.health),
        ("GET", "/ready", gateway.ready),
        ("GET", "/metrics", gateway.scrape),
    ]
    return [Route(path, handler, methods=[method]) for method, path, handler in table]


def _exception_handlers() -> dict[Any, Any]:
    async def refused(request: Request, error: Refusal) -> Response:
        return _error(error.status, error.code, str(error), error.field)

    async def routed_nowhere(request: Request, error: HTTPException) -> Response:
        return _error(error.status_code, _CODES.get(error.status_code, "BAD_REQUEST"), error.detail)

    async def failed(request: Request, error: Exception) -> Response:
        return _error(
            500, "INTERNAL_ERROR", f"The gateway failed with a {type(error).__name__}; see its log."
        )

    def answers(status: int, code: str) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handler(request: Request, error: Exception) -> Response:
            return _error(status, code, str(error))

        return handler

    return {
        Refusal: refused,
        HTTPException: routed_nowhere,
        UnknownEndpointError: answers(404, "RESOURCE_DOES_NOT_EXIST"),
        EndpointExistsError: answers(400, "RESOURCE_ALREADY_EXISTS"),
        UpdateInProgressError: answers(409, "RESOURCE_CONFLICT"),
        Exception: failed,
    }


async def _read(request: Request, model: type[BodyModel]) -> BodyModel:
    try:
        return model.model_validate_json(await _limited_body(request))
    except ValidationError as error:
        field, problem = problem_of(error)
        message = f"{field}: {problem}" if field else problem
        raise Refusal(400, message, "INVALID_PARAMETER_VALUE", field) from None


async def _limited_body(request: Request) -> bytes:
    """The body, refused with 413 as soon as it is known to be over the limit."""
    declared = request.headers.get("content-length", "")
    chunks, size = [], int(declared) if declared.isdecimal() else 0
    if size <= MAX_BODY_BYTES:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                break
            chunks.append(chunk)
    if size > MAX_BODY_BYTES:
        raise Refusal(413, f"The body is over {MAX_BODY_BYTES >> 20} MB: send fewer rows at a time.")
    return b"".join(chunks)


def _json(content: Any, status: int = 200) -> Response:
    return Response(dumps(content), status, media_type="application/json")


def _error(status: int, code: str, message: str, field: str | None = None) -> Response:
    return Response(error_body(code, message, field), status, media_type="application/json")
