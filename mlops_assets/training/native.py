"""Native categories in a model file."""

from typing import Any


def plain_preprocessor(pipeline: Any) -> Any:
    """The fitted pipeline, whose histogram boosting with native categories holds no function any more.

    Scikit-learn keeps a functools.partial of its input check there, which a model file may not hold; the
    rows that reach it are float64 already, so passing them on as they are is the same.
    """
    inner = getattr(pipeline[-1], "_preprocessor", None)
    if inner is not None:
        for name, step, _ in [*inner.transformers, *inner.transformers_]:
            if name == "numerical" and hasattr(step, "func"):
                step.func = None
    return pipeline
