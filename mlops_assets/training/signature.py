"""A model's signature, and whether it can take the place of another one's."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlops_assets.features.frames import signature_types
from mlops_assets.training.fit import Fitted
from mlops_assets.training.prepared import truth_of

Columns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Signature:
    """Names and MLflow types of the raw columns that a model takes, and of what it answers."""

    inputs: Columns
    outputs: Columns

    @classmethod
    def of(cls, fitted: Fitted) -> Self:
        """The signature of a fitted pipeline."""
        return cls(signature_types(fitted.rows.schema, fitted.inputs), _outputs(fitted))

    @classmethod
    def logged(cls, folder: Path) -> Self:
        """The signature in the MLflow model directory `folder`."""
        import yaml

        signature = yaml.safe_load((folder / "MLmodel").read_text())["signature"]
        inputs, outputs = (json.loads(signature[part]) for part in ("inputs", "outputs"))
        return cls(*([(each["name"], each["type"]) for each in part] for part in (inputs, outputs)))

    @property
    def names(self) -> list[str]:
        """The columns it takes."""
        return [name for name, _ in self.inputs]

    def broken(self, champion: "Signature") -> Iterator[str]:
        """A sentence for each reason why requests to `champion`, or readers of its answers, would no longer fit."""
        known = dict(champion.inputs)
        for name, kind in self.inputs:
            if name not in known:
                yield f"signature: it takes '{name}', which requests to the champion do not bring"
            elif known[name] != kind:
                yield f"signature: it takes '{name}' as {kind}, the champion as {known[name]}"
        if list(self.outputs) != list(champion.outputs):
            yield f"signature: it answers {_shown(self.outputs)}, the champion {_shown(champion.outputs)}"


def _outputs(fitted: Fitted) -> Columns:
    config = fitted.config
    if config.model_type != "classification":
        return [("prediction", "double")]
    kind = str(truth_of(fitted.rows.head(1), config).dtype)
    label = {"bool": "boolean", "int64": "long"}.get(kind, "string")
    return [("prediction", label), ("probability", "double")]


def _shown(columns: Columns) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns)
