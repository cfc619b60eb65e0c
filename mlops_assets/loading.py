"""Loading large libraries."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from types import ModuleType

_LOADING = Lock()


@contextmanager
def no_garbage() -> Iterator[None]:
    """No search for garbage inside: an import makes a million objects that stay, and the searches through them are a
    third of the time that MLflow takes to load.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def skops_io() -> ModuleType:
    """skops.io, loaded without a look at every estimator that scikit-learn has: it imports all modules of it, and
    pytest, for names of types that it then trusts by itself. Here trusted_types.py says what is trusted.
    """
    with _LOADING, no_garbage():
        from sklearn import utils

        found, utils.all_estimators = utils.all_estimators, list
        try:
            return import_module("skops.io")
        finally:
            utils.all_estimators = found
