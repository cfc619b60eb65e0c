"""The gateway's HTTP surface: serving-endpoint routes, invocations, health, readiness, metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.serving.fleet import Fleet
from mlops_assets.serving.http import Refusal, as_json, exception_handlers, limited_body, read_body
from mlops_assets.serving.inference_log import InferenceLog
from mlops_assets.serving.invocations import answer, record
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.protocol import CreateEndpoint, PatchTags, UpdateConfig

Handler = Callable[[Request], Awaitable[Response]]
ENDPOINTS = "/api/2.0/serving-endpoints"


@dataclass
class Gateway:
    """What the routes work with."""

    fleet: Fleet
    token: str
    client: httpx.AsyncClient
    metrics: Metrics
    log: InferenceLog

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
        return as_json({"endpoints": [endpoint.describe() for endpoint in self.fleet.endpoints.values()]})

    async def create(self, request: Request) -> Response:
        """POST /api/2.0/serving-endpoints."""
        self.authorize(request)
        return as_json(self.fleet.create(await read_body(request, CreateEndpoint)).describe())

    async def get(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints/{name}."""
        self.authorize(request)
        return as_json(self.fleet.get(request.path_params["name"]).describe())

    async def delete(self, request: Request) -> Response:
        """DELETE /api/2.0/serving-endpoints/{name}."""
        self.authorize(request)
        self.fleet.delete(request.path_params["name"])
        return as_json({})

    async def update(self, request: Request) -> Response:
        """PUT /api/2.0/serving-endpoints/{name}/config."""
        self.authorize(request)
        body = await read_body(request, UpdateConfig)
        return as_json(self.fleet.update(request.path_params["name"], body).describe())

    async def patch_tags(self, request: Request) -> Response:
        """PATCH /api/2.0/serving-endpoints/{name}/tags: the endpoint's tags afterwards."""
        self.authorize(request)
        endpoint = self.fleet.patch_tags(request.path_params["name"], await read_body(request, PatchTags))
        return as_json({"tags": [tag.model_dump() for tag in endpoint.record.tags]})

    async def invoke(self, request: Request) -> Response:
        """POST /serving-endpoints/{name}/invocations."""
        name = request.path_params["name"]
        known = self.fleet.endpoints.get(name)
        if known is None or known.record.settings.enable_access_control:
            self.authorize(request)
        endpoint = self.fleet.get(name)
        body = await limited_body(request)
        begun = time.perf_counter()
        given = await answer(endpoint, body, self.client)
        seconds = time.perf_counter() - begun
        served = given.entity.name if given.entity else ""
        self.metrics.observe(name, served, given.status, given.rows, seconds)
        request_id = uuid4().hex
        record(self.log, endpoint, given, body, request_id, seconds)
        headers = {"x-request-id": request_id} | ({"served-model-name": served} if served else {})
        return Response(given.body, given.status, headers, "application/json")

    async def health(self, request: Request) -> Response:
        """GET /health: the process answers."""
        return as_json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """GET /ready: 200 where every endpoint can answer, else 503 naming those that cannot."""
        waiting = sorted(name for name, endpoint in self.fleet.endpoints.items() if not endpoint.ready)
        return as_json({"ready": not waiting, "not_ready": waiting}, 503 if waiting else 200)

    async def scrape(self, request: Request) -> Response:
        """GET /metrics."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def application(fleet: Fleet, token: str) -> Starlette:
    """The gateway as an ASGI application; its lifespan is that of the workers."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=60)
    client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)
    log = InferenceLog(fleet.home.spool)
    gateway = Gateway(fleet, token, client, Metrics(lambda: fleet.endpoints.values()), log)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.start()
        fleet.restore()
        try:
            yield
        finally:
            await fleet.close()
            await client.aclose()
            await asyncio.to_thread(log.close)

    return Starlette(routes=_routes(gateway), lifespan=lifespan, exception_handlers=exception_handlers())


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
