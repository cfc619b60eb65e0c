"""User errors as Dagster failures: one sentence, and no retry."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.steps.errors import USER_ERRORS


@contextmanager
def as_failure() -> Iterator[None]:
    """Turn an error that a user can fix into a Dagster Failure with the same message, which is not retried."""
    try:
        yield
    except USER_ERRORS as error:
        raise dg.Failure(str(error), allow_retries=False) from error
