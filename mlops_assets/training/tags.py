"""What a version's tags say, so that later steps need to ask nothing but the registry."""

import json
from importlib.metadata import version as package_version
from typing import Any

from mlops_assets.registry import PASSED, REFUSED
from mlops_assets.training.challenge import split_text
from mlops_assets.training.fit import Fitted
from mlops_assets.training.gates import GateDecision
from mlops_assets.training.lineage import Lineage


def version_tags(fitted: Fitted, decision: GateDecision, lineage: Lineage) -> dict[str, str]:
    """Lineage, splits, labels and the gate's decision, by the names that a version's tags have."""
    through = fitted.trained_through
    hashes = {f"mlops.rows_{name}": fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    return {
        "mlops.lineage": lineage.digest,
        "mlops.config_hash": lineage.config,
        "mlops.features_hash": lineage.features,
        "mlops.tables": json.dumps(dict(lineage.tables)),
        "mlops.made_of": json.dumps(dict(lineage.made_of)),
        "mlops.code_version": package_version("mlops-assets"),
        "mlops.seed": str(fitted.config.random_seed),
        "mlops.split": split_text(fitted),
        "mlops.classes": json.dumps(_classes(fitted)),
        "mlops.refitted": str(fitted.refitted).lower(),
        "mlops.trained_until": through.isoformat() if through is not None else "",
        "mlops.gate": PASSED if decision.promote else REFUSED,
        "mlops.decision": "; ".join(decision.reasons),
        "mlops.numbers": json.dumps(_numbers(decision)),
        **hashes,
    }


def _classes(fitted: Fitted) -> list[Any]:
    """The labels that a classifier tells apart, ascending; none for other models."""
    known = getattr(fitted.pipeline, "classes_", None) if fitted.config.model_type == "classification" else None
    return [] if known is None else list(known.tolist())


def _numbers(decision: GateDecision) -> dict[str, float]:
    named = {"gain": decision.gain, "low": decision.low, "high": decision.high, "rows": float(decision.rows)}
    both = {"challenger": decision.challenger, "champion": decision.champion}
    scores = {f"{who}_{decision.metric}": values.get(decision.metric) for who, values in both.items()}
    return {name: value for name, value in {**named, **scores}.items() if value is not None}
