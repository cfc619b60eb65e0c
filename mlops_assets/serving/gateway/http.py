"""Reading bodies and answering in JSON: what every route of the gateway shares."""

from collections.abc import Awaitable, Callable, Mapping
from json import dumps
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from mlops_assets.serving.gateway.endpoint_state import (
    EndpointExistsError,
    UnknownEndpointError,
    UpdateInProgressError,
)
from mlops_assets.serving.payload import MAX_BODY_BYTES, error_body
from mlops_assets.serving.protocol import problem_of

BodyModel = TypeVar("BodyModel", bound=BaseModel)
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_TOO_LARGE",
    429: "REQUEST_LIMIT_EXCEEDED",
}


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.field, self.headers = status, code or _CODES[status], field, headers


def given_token(scope: Scope) -> str:
    """The request's bearer token, empty where it has none."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = given.decode("latin-1").partition(" ")
    return str(token.strip()) if scheme.lower() == "bearer" else ""


def bearer(scope: Scope) -> str:
    """The request's bearer token. Raises Refusal where it has none."""
    token = given_token(scope)
    if not token:
        raise Refusal(401, "A token is needed: send the header 'Authorization: Bearer <token>'.")
    return token


async def read_body(request: Request, model: type[BodyModel]) -> BodyModel:
    """The request's body as a `model`. Raises Refusal naming the first field that is wrong."""
    try:
        return model.model_validate_json(await limited_body(request.scope, request.receive))
    except ValidationError as error:
        field, problem = problem_of(error)
        message = f"{field}: {problem}" if field else problem
        raise Refusal(400, message, "INVALID_PARAMETER_VALUE", field) from None


async def limited_body(scope: Scope, receive: Receive) -> bytes:
    """The body, refused with 413 as soon as it is known to be over the limit."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    size = int(declared) if declared.isdigit() else 0
    chunks: list[bytes] = []
    more, read = size <= MAX_BODY_BYTES, 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The connection ended before the body did.")
        chunks.append(message.get("body", b""))
        read += len(chunks[-1])
        more = message.get("more_body", False) and read <= MAX_BODY_BYTES
    if max(size, read) > MAX_BODY_BYTES:
        raise Refusal(413, f"The body is over {MAX_BODY_BYTES >> 20} MB: send fewer rows at a time.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def as_json(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(dumps(content), status, media_type="application/json")


def refusal_answer(refusal: Refusal) -> Response:
    """The answer to a refused request."""
    answer = _error(refusal.status, refusal.code, str(refusal), refusal.field)
    answer.headers.update(refusal.headers or {})
    return answer


def failure(error: Exception) -> Refusal:
    """The answer to an internal error, without the error's message, which may quote the request."""
    return Refusal(500, f"The gateway failed with a {type(error).__name__}; see its log.", "INTERNAL_ERROR")


def _error(status: int, code: str, message: str, field: str | None = None) -> Response:
    return Response(error_body(code, message, field), status, media_type="application/json")


def exception_handlers() -> dict[Any, Any]:
    """Every error as Databricks writes it: error_code and message."""

    async def refused(request: Request, error: Refusal) -> Response:
        return refusal_answer(error)

    async def routed_nowhere(request: Request, error: HTTPException) -> Response:
        return _error(error.status_code, _CODES.get(error.status_code, "BAD_REQUEST"), error.detail)

    async def failed(request: Request, error: Exception) -> Response:
        return refusal_answer(failure(error))

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
