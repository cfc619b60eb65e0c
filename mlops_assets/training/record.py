"""What a version was made of, whole: enough to train it again when documents, code and tables have moved on.

The record is a file of the MLflow run. It holds the documents themselves, so that a YAML file changed since does not
matter, and a hash per column of the rows that were learned from, so that a change of values under unchanged keys shows.
"""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version as package_version
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.training.narrow import widened

FILE = "training_record.json"
PACKAGES = ("mlops-assets", "scikit-learn", "scipy", "numpy", "pandas", "polars")


class TrainingRecord(BaseModel):
    """The documents as they held for the run (searched hyperparameters filled in), Delta version by table path,
    row-set hash by split, hash by column, version by package.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: dict[str, Any]
    features: dict[str, Any]
    tables: dict[str, int]
    splits: dict[str, str]
    columns: dict[str, str]
    packages: dict[str, str]
    refitted: bool

    @classmethod
    def of(
        cls,
        documents: tuple[TrainingConfig, FeatureConfig],
        tables: Mapping[str, int],
        rows: pl.DataFrame,
        splits: Mapping[str, str],
        *,
        refitted: bool,
    ) -> Self:
        """The record of a training on `rows`, which are the labelled ones, sorted by key."""
        training, features = (document.model_dump(mode="json") for document in documents)
        return cls(
            training=training,
            features=features,
            tables=dict(tables),
            splits=dict(splits),
            columns=column_hashes(rows),
            packages=packages(),
            refitted=refitted,
        )

    def checked(self) -> Self:
        """The record itself. Raises ValueError if this version of the package cannot read its documents."""
        TrainingConfig.model_validate(self.training)
        FeatureConfig.model_validate(self.features)
        return self

    @property
    def documents(self) -> tuple[TrainingConfig, FeatureConfig]:
        """The training and the feature document."""
        return TrainingConfig.model_validate(self.training), FeatureConfig.model_validate(self.features)


def packages() -> dict[str, str]:
    """Versions of what decides a model's bits: this package, the libraries below it, Python, the machine's kind."""
    found = {name: package_version(name) for name in PACKAGES}
    return {**found, "python": platform.python_version(), "machine": platform.machine()}


def column_hashes(frame: pl.DataFrame) -> dict[str, str]:
    """SHA-256 of each column's type, nulls and values, in the order of the rows."""
    return {name: _hash(frame[name]) for name in frame.columns}


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> Sequence[str]:
    """The names whose values differ or exist on one side only, in the order of `then`."""
    return [name for name in {**then, **now} if then.get(name) != now.get(name)]


def _hash(column: pl.Series) -> str:
    column = widened(column)
    digest = hashlib.sha256(str(column.dtype).encode())
    digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
    physical = column.to_physical() if column.dtype.is_temporal() else column
    if physical.dtype.is_numeric():
        digest.update(np.ascontiguousarray(physical.fill_null(0).to_numpy()).tobytes())
    else:
        digest.update((physical.cast(pl.String).fill_null("").str.join("\x1f").item() or "").encode())
    return digest.hexdigest()
