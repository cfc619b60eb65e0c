"""The Databricks SDK's errors as this package's: one taxonomy for gateway and workspace."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise a ServingError that begins with `what` for whatever the SDK raises; its own chain may quote a request."""
    import requests
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except JSONDecodeError:
        raise _transient(EndpointUnavailable(f"{what}: the workspace answered something that is not JSON.")) from None
    except (DatabricksError, TimeoutError, requests.RequestException) as error:
        # The SDK's retries end in a bare TimeoutError whose cause is the last attempt's error.
        last = error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ else error
        raise _of(last, what) from None


def _of(error: BaseException, what: str) -> ServingError:
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
    # A proxy's page comes without an error code; the SDK tells it as an unknown error.
    return _transient(ServingError(message))


def _transient(error: ServingError) -> ServingError:
    error.transient = True
    return error
