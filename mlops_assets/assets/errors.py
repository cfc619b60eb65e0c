"""User errors as Dagster failures: one sentence, and no retry."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.lake.errors import LakeError
from mlops_assets.rules import RuleError
from mlops_assets.secrets import SecretError


@contextmanager
def as_failure(*kinds: type[Exception]) -> Iterator[None]:
    """Raise an error that a user can mend as a Failure with its one sentence."""
    mendable: tuple[type[Exception], ...] = (LakeError, RuleError, SecretError, *kinds)
    try:
        yield
    except mendable as error:
        raise dg.Failure(str(error), allow_retries=False) from error
