"""What can go wrong between a client and an endpoint, one class per reaction a caller can have."""


class ServingError(Exception):
    """An endpoint did not give predictions; the message says why and never holds a token or a row.

    `transient` where asking again may help, `retry_after` the seconds that the endpoint asked to wait before.
    """

    transient: bool = False
    retry_after: float | None = None


class EndpointNotFound(ServingError):
    """No endpoint of that name is served there."""


class NotAuthorized(ServingError):
    """The credentials are missing, wrong or lack the permission to query the endpoint."""


class InvalidInput(ServingError):
    """The rows do not fit the model; `field` names the column, if the endpoint does."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Throttled(ServingError):
    """The endpoint kept answering 429 until the client's time was over."""


class EndpointUnavailable(ServingError):
    """Nothing answered, the endpoint is not ready, or what answered is no endpoint."""


class DeadlineExceeded(ServingError):
    """No answer came within `timeout_seconds`."""


class DeploymentFailed(ServingError):
    """An endpoint's update failed; what it served before is still served."""


class NotImplementedThere(ServingError):
    """The host does not offer what was requested."""
