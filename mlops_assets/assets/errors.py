"""Errors that a user can mend, as failures that say so and are not tried again."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.lake.errors import LakeError
from mlops_assets.rules import RuleError
from mlops_assets.secrets import SecretError


@contextmanager
def as_failure(*kinds: type[Exception]) -> Iterator[None]:
    """Turn what the documents or the data are to blame for into a Failure with its one sentence."""
    mendable: tuple[type[Exception], ...] = (LakeError, RuleError, SecretError, *kinds)
    try:
        yield
    except mendable as error:
        raise dg.Failure(str(error), allow_retries=False) from error
