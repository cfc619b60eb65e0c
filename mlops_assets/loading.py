"""Loading large libraries."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Switch garbage collection off inside the block.

    An import creates about a million objects that stay; scanning them takes a third of MLflow's loading time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
