"""What a version is made of: documents, tables and code, and the one hash by which it is found again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as package_version

from mlops_assets.config import FeatureConfig, TrainingConfig, config_hash


@dataclass(frozen=True)
class Lineage:
    """What a version is made of: hashes of its documents, and the Delta version of each table by path. `made_of` are
    the versions of the tables that those were made from, as far as they are known.
    """

    config: str
    features: str
    tables: Mapping[str, int]
    made_of: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One hash of all of it and of this package's version."""
        parts = [
            self.config,
            self.features,
            package_version("mlops-assets"),
            json.dumps(dict(self.tables), sort_keys=True),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def lineage_of(
    config: TrainingConfig,
    features: FeatureConfig,
    tables: Mapping[str, int],
    made_of: Mapping[str, int] | None = None,
) -> Lineage:
    """The lineage of a training on tables at these Delta versions, which were made of others at theirs."""
    return Lineage(config_hash(config), config_hash(features), tables, made_of or {})
