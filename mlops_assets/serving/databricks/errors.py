"""Turns the Databricks SDK's errors into this package's ServingErrors, and says why an endpoint update failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from mlops_assets.serving.databricks import bodies
from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)
from mlops_assets.serving.spec import EndpointStatus

if TYPE_CHECKING:
    from databricks.sdk.service.serving import ServingEndpointDetailed, ServingEndpointsAPI

LOG_LINES = 20
Answer = TypeVar("Answer")


@contextmanager
def as_serving_error(what: str) -> Iterator[None]:
    """Turn any error of the SDK into a ServingError that begins with `what`; unchained, as it may quote a request."""
    import requests
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except JSONDecodeError:
        raise _transient(EndpointUnavailable(f"{what}: the workspace answered something that is not JSON.")) from None
    except (DatabricksError, TimeoutError, requests.RequestException) as error:
        # The SDK's retries end in a bare TimeoutError whose cause is the last attempt's error.
        last = error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ else error
        raise _serving_error(last, what) from None


def _serving_error(error: BaseException, what: str) -> ServingError:
    import requests
    from databricks.sdk import errors as sdk

    message = f"{what}: {str(error).split('. Config: ')[0]}"
    if isinstance(error, sdk.NotFound):
        return EndpointNotFound(message)
    if isinstance(error, (sdk.Unauthenticated, sdk.PermissionDenied)):
        return NotAuthorized(message)
    if isinstance(error, (sdk.DeadlineExceeded, requests.Timeout, TimeoutError)):
        return _transient(DeadlineExceeded(message))
    if isinstance(error, sdk.TooManyRequests):
        return _transient(Throttled(message))
    if isinstance(error, (sdk.BadRequest, sdk.ResourceConflict)):
        return InvalidInput(message)
    if isinstance(error, (sdk.InternalError, sdk.TemporarilyUnavailable, requests.RequestException)):
        return _transient(EndpointUnavailable(message))
    # A proxy's error page has no error code; the SDK raises it as an unknown error.
    return _transient(ServingError(message))


def _transient(error: ServingError) -> ServingError:
    error.transient = True
    return error


def query_with_retries(what: str, ask: Callable[[], Answer]) -> Answer:
    """The result of `ask`, retried after transient errors (the SDK itself retries only 429 and 503).

    Raises ServingError as `as_serving_error` does.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: bool(getattr(error, "transient", False))),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_attempt(5),
        reraise=True,
    )

    def once() -> Answer:
        with as_serving_error(what):
            return ask()

    return retrying(once)


def update_failure_reason(api: "ServingEndpointsAPI", found: "ServingEndpointDetailed", status: EndpointStatus) -> str:
    """Why an endpoint update failed: its state, and each served entity's problem with the end of its build log."""
    lines = [f"The endpoint '{found.name}' was not updated ({status.config_update}); it serves what it did before."]
    for served, problem in bodies.problems(found).items():
        lines += [f"{served}: {problem}", *_build_log(api, str(found.name), served)[-LOG_LINES:]]
    return "\n".join(lines)


def _build_log(api: "ServingEndpointsAPI", name: str, served: str) -> list[str]:
    found = query_with_retries(f"No build log of '{served}'", lambda: api.build_logs(name, served).logs)
    return str(found or "").strip().splitlines()
