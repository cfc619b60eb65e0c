"""Drift of arriving labels against the champion's training labels."""

import polars as pl

from mlops_assets.monitoring import slices
from mlops_assets.monitoring.performance import MetricValue
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.verdict import feature_drift

LABEL_DRIFT = "label_drift"


def label_drift(
    labels: pl.Series, learned: pl.Series, *, classes: bool, least: int, part: str = slices.WHOLE
) -> MetricValue:
    """The debiased PSI of the known labels against the `learned` ones, by class or by quantiles of the latter.

    No value below `least` labels. The metric of a slice is named `label_drift [origin=EWR]`.
    """
    then, now = (_frame(side, classes=classes) for side in (learned, labels))
    reference = fit_reference(then, [LABEL_DRIFT])
    (found,) = feature_drift(reference.profile, summarise(now, reference), min_sample=least)
    name = slices.sliced_name(LABEL_DRIFT, part)
    if found.verdict == "insufficient_data":
        return MetricValue(name, None, higher_is_better=False, reason=f"{now.height} labels are too few to judge")
    return MetricValue(name, found.psi_debiased, higher_is_better=False)


def _frame(labels: pl.Series, *, classes: bool) -> pl.DataFrame:
    known = labels.drop_nulls()
    return pl.DataFrame({LABEL_DRIFT: _as_class(known) if classes else known.cast(pl.Float64)})


def _as_class(labels: pl.Series) -> pl.Series:
    """Classes as text, with 1, 1.0 and true as the same class."""
    plain = labels if labels.dtype == pl.String else labels.cast(pl.Float64)
    return plain.cast(pl.String)
