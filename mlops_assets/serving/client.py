"""The typed client of a serving endpoint: the same for the gateway here and for Databricks."""

from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, NoReturn

from mlops_assets.serving.credentials import EndpointCredentials
from mlops_assets.serving.encoding import chunks, column_names
from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)

if TYPE_CHECKING:
    import pandas

DEFAULT_TIMEOUT_SECONDS = 60.0


class TabularModelClient:
    """Predictions for pandas frames from named endpoints of one workspace or gateway."""

    def __init__(
        self,
        workspace_url: str,
        credentials: EndpointCredentials,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Connect nothing yet. `timeout_seconds` bounds each request with its retries.

        Raises ValueError for a workspace_url that would send a token over plain http to another machine.
        """
        from databricks.sdk.core import ApiClient

        self._config = credentials.sdk_config(workspace_url, timeout_seconds)
        self._api = ApiClient(self._config)
        self._timeout_seconds = timeout_seconds

    def __repr__(self) -> str:
        return f"TabularModelClient({self._config.host!r}, auth_type={self._config.auth_type!r})"

    def predict(self, endpoint_name: str, features: "pandas.DataFrame") -> "pandas.DataFrame":
        """A row per row of `features`, with its index: `prediction` and, for classifiers, `probability`.

        Large frames are sent in several requests. Raises a ServingError: EndpointNotFound, NotAuthorized,
        InvalidInput (with the field), Throttled, EndpointUnavailable or DeadlineExceeded.
        """
        import pandas as pd

        column_names(features)
        predictions: list[dict[str, Any]] = []
        for chunk in chunks(features):
            answered = self._query(endpoint_name, chunk.body)
            if len(answered) != chunk.rows:
                raise ServingError(f"'{endpoint_name}' gave {len(answered)} predictions for {chunk.rows} rows.")
            predictions += answered
        if not predictions:
            return pd.DataFrame({"prediction": [], "probability": []}, index=features.index, dtype="float64")
        return pd.DataFrame(predictions, index=features.index)

    def _query(self, endpoint: str, body: bytes) -> list[dict[str, Any]]:
        answer = self._post(endpoint, body)
        if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
            raise ServingError(f"'{endpoint}' answered without a list of predictions.")
        return [item if isinstance(item, dict) else {"prediction": item} for item in answer["predictions"]]

    def _post(self, endpoint: str, body: bytes) -> Any:
        import requests
        from databricks.sdk.errors.base import DatabricksError

        path = f"/serving-endpoints/{endpoint}/invocations"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            return self._api.do("POST", path, headers=headers, data=body)
        except JSONDecodeError:
            raise EndpointUnavailable(f"{self._config.host} answered something that is not JSON.") from None
        except (DatabricksError, TimeoutError, requests.RequestException) as error:
            # The SDK's retries end in a bare TimeoutError whose cause is the last attempt's error.
            last = error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ else error
            self._raise(endpoint, last)

    def _raise(self, endpoint: str, error: BaseException) -> NoReturn:
        """The SDK's error as ours; `from None` because the SDK's chain may quote the request."""
        import requests
        from databricks.sdk import errors as sdk
        from databricks.sdk.errors.base import DatabricksError

        where = f"'{endpoint}' at {self._config.host}"
        told = str(error).split(". Config: ")[0]
        if isinstance(error, sdk.NotFound):
            raise EndpointNotFound(f"There is no endpoint {where}: {told}") from None
        if isinstance(error, (sdk.Unauthenticated, sdk.PermissionDenied)):
            raise NotAuthorized(f"Not allowed to query {where}: {told}") from None
        if isinstance(error, sdk.BadRequest):
            raise InvalidInput(f"{where} refused the rows: {told}", _field(error)) from None
        if isinstance(error, sdk.TooManyRequests):
            raise Throttled(f"{where} has too many requests: {told}") from None
        if isinstance(error, (sdk.DeadlineExceeded, requests.Timeout, TimeoutError)):
            raise DeadlineExceeded(f"{where} gave no answer within {self._timeout_seconds:g} s.") from None
        if isinstance(error, (sdk.TemporarilyUnavailable, requests.ConnectionError)):
            reason = told if isinstance(error, DatabricksError) else "nothing answers there"
            raise EndpointUnavailable(f"{where} is not available: {reason}") from None
        raise ServingError(f"{where} failed: {told}") from None


def _field(error: Any) -> str | None:
    """The field an endpoint blames in the error's details, where it does."""
    details = error.get_error_details().bad_request
    return details.field_violations[0].field if details and details.field_violations else None
