"""Which features of a window have drifted.

The effect is large enough and the test survives Benjamini-Hochberg.

A p-value alone never decides: with many rows everything is significant, with many features something always
is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.monitoring import effects, statistics
from mlops_assets.monitoring.bins import NumericBins
from mlops_assets.monitoring.drift import TESTS, default_threshold, known_method
from mlops_assets.monitoring.summary import ColumnProfile, Profile, same_reference

FLOOR = 0.05  # of the debiased PSI
WASSERSTEIN_LIMIT = 0.2  # of a monitor, in standard deviations of the reference


@dataclass(frozen=True)
class FeatureDrift:
    """One feature of one window against the reference.

    `method` is the one applied: categories have no order, so for them `ks_test` and `mmd` become `chi_square`, and
    `wasserstein` becomes `psi`, as it does for numbers whose share of nulls changed. `effect` is compared with `limit`:
    the debiased PSI, or a distance (Wasserstein in standard deviations of the reference). `p_adjusted` is p after
    Benjamini-Hochberg over the window's features, None if data is insufficient.
    """

    feature: str
    method: str
    statistic: float
    p_value: float
    p_adjusted: float | None
    psi: float
    psi_debiased: float
    effect: float
    limit: float
    verdict: str
    rows: int

    @property
    def severity(self) -> float:
        """Effect in units of its limit: 1 is at the limit, 0 if data is insufficient."""
        if self.verdict == "insufficient_data":
            return 0.0
        return self.effect / self.limit if self.limit > 0 else float(self.effect > 0)

    @property
    def drifted(self) -> bool:
        """Whether the verdict is drift or severe."""
        return self.verdict in ("drift", "severe")


@dataclass(frozen=True)
class _Measured:
    feature: str
    method: str
    statistic: float
    p_value: float
    psi: float
    psi_debiased: float
    distance: float
    rows: int
    sufficient: bool


def feature_drift(
    reference: Profile,
    current: Profile,
    *,
    method: str = "psi",
    threshold: float | None = None,
    fdr: float = 0.01,
    effect_floor: float | None = None,
    floors: Mapping[str, float] = MappingProxyType({}),
    severe: float = 0.15,
    min_sample: int = 500,
) -> list[FeatureDrift]:
    """Verdicts (ok, drift, severe, insufficient_data) of all features, in the reference's order.

    For a test, `threshold` (default `fdr`) is the Benjamini-Hochberg level and the debiased PSI must exceed
    `effect_floor` (default 0.05). A distance must exceed the larger of `threshold` and `effect_floor`, if
    given (default for debiased psi 0.05, for wasserstein 0.2 standard deviations, for others 0.1), and the
    chi-square test of the same bins must survive at `fdr`. `floors` are the effect floors of single features.
    `compare` uses 0.1 for wasserstein, for a single comparison. A monitor compares every feature every day: a
    meaningless shift of 0.05 standard deviations, plus the noise of 1,000 rows, exceeds 0.1 on some days of a year
    and 0.2 on none. Severe if the debiased PSI exceeds `severe` as well.
    With fewer than `min_sample` rows on either side, or 30 rows per bin, data is insufficient.
    ValueError for an unknown method or different references.
    """
    known_method(method)
    same_reference(reference, current)
    measured = [_measure(name, reference, current, method, min_sample) for name in reference.columns]
    adjusted = iter(_adjust([one.p_value for one in measured if one.sufficient]))
    level = threshold if threshold is not None and method in TESTS else fdr
    verdicts = []
    for one in measured:
        limit = _limit(one.method, method, threshold, floors.get(one.feature, effect_floor))
        effect = one.distance if one.method not in (*TESTS, "psi") else one.psi_debiased
        p_adjusted = next(adjusted) if one.sufficient else None
        drifted = p_adjusted is not None and p_adjusted < level and effect > limit
        verdict = _verdict(one, drifted=drifted, severe=severe)
        verdicts.append(_result(one, p_adjusted, effect, limit, verdict))
    return verdicts


def _result(one: _Measured, p_adjusted: float | None, effect: float, limit: float, verdict: str) -> FeatureDrift:
    return FeatureDrift(
        one.feature,
        one.method,
        one.statistic,
        one.p_value,
        p_adjusted,
        one.psi,
        one.psi_debiased,
        effect,
        limit,
        verdict,
        one.rows,
    )


def _verdict(one: _Measured, *, drifted: bool, severe: float) -> str:
    if not one.sufficient:
        return "insufficient_data"
    if not drifted:
        return "ok"
    return "severe" if one.psi_debiased > severe else "drift"


def _limit(applied: str, configured: str, threshold: float | None, floor: float | None) -> float:
    """The limit of the effect; a configured distance applies only if the method applied is the configured one."""
    if configured in TESTS:
        return FLOOR if floor is None else floor
    given = [each for each in (threshold, floor) if each is not None]
    if given and applied == configured:
        return max(given)
    defaults = {"psi": FLOOR, "wasserstein": WASSERSTEIN_LIMIT}
    return defaults.get(applied) or default_threshold(applied)


def _adjust(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values in the given order."""
    if not p_values:
        return []
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values, method="bh")]


def _measure(name: str, reference: Profile, current: Profile, method: str, min_sample: int) -> _Measured:
    then, now = reference.columns[name], current.columns[name]
    first, second, pooled = effects.verdict_bins(then, now)
    rows = min(then.rows, now.rows)
    applied = _applied(method, then, now)
    if rows == 0 or len(first) == 0:
        return _Measured(name, applied, 0.0, 1.0, 0.0, 0.0, 0.0, now.rows, sufficient=False)
    psi = statistics.psi(first, second)
    statistic, distance = psi, psi
    p_value: float | None = None
    if applied == "ks_test":
        statistic, p_value = effects.ordered_ks(then, now)
    elif applied == "mmd":
        statistic, p_value = effects.mmd(then, now)
    elif applied == "wasserstein":
        statistic, distance = effects.wasserstein(then, now)
    elif applied not in ("psi", "chi_square"):
        statistic = distance = getattr(statistics, applied)(first, second)
    if p_value is None:
        contingency, p_value = statistics.chi_square(*effects.pool_sparse(first, second))
        statistic = contingency if applied == "chi_square" else statistic
    sufficient = rows >= min_sample and rows / len(first) >= effects.ROWS_PER_BIN and pooled <= 0.5
    debiased = psi - statistics.psi_bias(first, second)
    return _Measured(name, applied, statistic, p_value, psi, debiased, distance, now.rows, sufficient)


def _applied(method: str, then: ColumnProfile, now: ColumnProfile) -> str:
    if isinstance(then.bins, NumericBins):
        # Wasserstein cannot see a change in the share of nulls: a null has no distance to a value.
        nulls_moved = method == "wasserstein" and effects.null_effect(then, now) > FLOOR
        return "psi" if nulls_moved else method
    return {"ks_test": "chi_square", "mmd": "chi_square", "wasserstein": "psi"}.get(method, method)
