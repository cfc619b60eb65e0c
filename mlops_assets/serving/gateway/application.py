"""The gateway's HTTP surface: invocations in front, then serving-endpoint routes, health, readiness, metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.serving.gateway.access import Access
from mlops_assets.serving.gateway.files import read_hash_key
from mlops_assets.serving.gateway.fleet import Fleet
from mlops_assets.serving.gateway.http import Refusal, as_json, bearer, exception_handlers, read_body
from mlops_assets.serving.gateway.invocation_route import Front
from mlops_assets.serving.gateway.metrics import Metrics
from mlops_assets.serving.gateway.openapi import ROOT, endpoint_description, gateway_description
from mlops_assets.serving.gateway.shadow import Shadows
from mlops_assets.serving.inference_log.recording import InferenceLog
from mlops_assets.serving.protocol import CreateEndpoint, PatchTags, Settings, UpdateConfig

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Gateway:
    """What the routes work with."""

    fleet: Fleet
    access: Access
    metrics: Metrics
    shadows: Shadows
    local: bool = True

    def authorize(self, request: Request) -> None:
        """Refuse a request without the gateway's own token."""
        if not self.access.may_manage(bearer(request.scope)):
            raise Refusal(403, "Invalid access token.")

    def _refuse_open(self, settings: Settings) -> None:
        if not self.local and not settings.enable_access_control:
            problem = "this gateway is reached from other machines: no endpoint of it answers without a token"
            raise Refusal(400, f"enable_access_control: {problem}", field="enable_access_control")

    async def list_endpoints(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints."""
        self.authorize(request)
        return as_json({"endpoints": [endpoint.describe() for endpoint in self.fleet.endpoints.values()]})

    async def create(self, request: Request) -> Response:
        """POST /api/2.0/serving-endpoints."""
        self.authorize(request)
        body = await read_body(request, CreateEndpoint)
        self._refuse_open(body)
        return as_json(self.fleet.create(body).describe())

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
        self._refuse_open(body)
        return as_json(self.fleet.update(request.path_params["name"], body).describe())

    async def patch_tags(self, request: Request) -> Response:
        """PATCH /api/2.0/serving-endpoints/{name}/tags: the endpoint's tags afterwards."""
        self.authorize(request)
        endpoint = self.fleet.patch_tags(request.path_params["name"], await read_body(request, PatchTags))
        return as_json({"tags": [tag.model_dump() for tag in endpoint.record.tags]})

    async def openapi(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints/{name}/openapi: what rows each version takes."""
        if not self.access.may_query(bearer(request.scope), request.path_params["name"]):
            raise Refusal(403, "Invalid access token, or one that may not query this endpoint.")
        endpoint = self.fleet.get(request.path_params["name"])
        versions = endpoint.serving.versions if endpoint.serving else ()
        columns = [(version.entity.name, version.columns) for version in versions]
        return as_json(endpoint_description(endpoint.record.name, columns))

    async def logs(self, request: Request) -> Response:
        """GET …/{name}/served-models/{served}/logs and …/build-logs: what its processes printed."""
        self.authorize(request)
        return as_json({"logs": self.fleet.logs(request.path_params["name"], request.path_params["served"])})

    async def description(self, request: Request) -> Response:
        """GET /openapi.json: all routes."""
        return as_json(gateway_description())

    async def agreement(self, request: Request) -> Response:
        """GET /api/2.0/serving-endpoints/{name}/agreement: what shadow traffic has shown."""
        self.authorize(request)
        name = self.fleet.get(request.path_params["name"]).record.name
        return as_json({"comparisons": self.shadows.describe(name)})

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


def application(fleet: Fleet, token: str, *, local: bool = True) -> Front:
    """The gateway as an ASGI application; its lifespan is that of the workers.

    Unless it is `local`, reached from this machine only, every endpoint asks for a token.
    """
    log = InferenceLog(fleet.home.spool, read_hash_key(fleet.home))
    access, shadows = Access(token, fleet.home.tokens_file), Shadows()
    metrics = Metrics(lambda: fleet.endpoints.values())
    gateway = Gateway(fleet, access, metrics, shadows, local)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.start()
        fleet.restore()
        try:
            yield
        finally:
            await fleet.close()
            await asyncio.to_thread(log.close)

    rest = Starlette(routes=_routes(gateway), lifespan=lifespan, exception_handlers=exception_handlers())
    return Front(rest, fleet, access, metrics, log, shadows, local)


def _routes(gateway: Gateway) -> list[Route]:
    one = f"{ROOT}/{{name}}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", ROOT, gateway.list_endpoints),
        ("POST", ROOT, gateway.create),
        ("POST", f"{ROOT}/", gateway.create),  # mlflow.deployments sends the slash
        ("GET", one, gateway.get),
        ("DELETE", one, gateway.delete),
        ("PUT", f"{one}/config", gateway.update),
        ("PATCH", f"{one}/tags", gateway.patch_tags),
        ("GET", f"{one}/agreement", gateway.agreement),
        ("GET", f"{one}/openapi", gateway.openapi),
        ("GET", f"{one}/served-models/{{served}}/logs", gateway.logs),
        ("GET", f"{one}/served-models/{{served}}/build-logs", gateway.logs),
        ("GET", "/openapi.json", gateway.description),
        ("GET", "/health", gateway.health),
        ("GET", "/ready", gateway.ready),
        ("GET", "/metrics", gateway.scrape),
    ]
    return [Route(path, handler, methods=[method]) for method, path, handler in table]
