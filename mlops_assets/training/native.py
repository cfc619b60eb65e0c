"""Native categories in a model file."""

from typing import Any


def plain_preprocessor(pipeline: Any) -> Any:
    """The fitted pipeline, whose histogram boosting with native categories holds no function any more.

    Scikit-learn keeps a functools.partial of its input check there, which a model file may not hold; the
    rows that reach it are float64 already, so passing them on as they are is the same.
    """
    calibrated = getattr(pipeline[-1], "calibrated_classifiers_", ())
    for final in (pipeline[-1], *(each.estimator for each in calibrated)):
        inner = getattr(final, "_preprocessor", None)
        for name, step, _ in [*inner.transformers, *inner.transformers_] if inner is not None else []:
            if name == "numerical" and hasattr(step, "func"):
                step.func = None
    return pipeline
