"""A registered version of a model, and what its tags say of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_assets.registry.unity import PREFIX

CHAMPION, CHALLENGER, APPROVED = "champion", "challenger", "approved"
PASSED, REFUSED = "passed", "refused"


@dataclass(frozen=True)
class ModelVersion:
    """A registered version and what its tags say of it."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def tag(self, name: str) -> str:
        """One of this package's tags, empty where it is not set."""
        return self.tags.get(PREFIX + name, "")

    @property
    def number(self) -> int:
        """The version as a number: versions in order of training."""
        return int(self.version)

    @property
    def passed(self) -> bool:
        """Whether the gate let it through."""
        return self.tag("gate") == PASSED

    @property
    def promoted(self) -> bool:
        """Whether it has been champion."""
        return bool(self.tag("promoted_at"))

    @property
    def champion_since(self) -> list[datetime]:
        """When it became champion, each time."""
        times = self.tag("champion_since") or self.tag("promoted_at")
        return [datetime.fromisoformat(each) for each in times.split()]

    @property
    def decision(self) -> str:
        """What the gate decided, with the numbers that decided, in a sentence."""
        return self.tag("decision")

    @property
    def cause(self) -> str:
        """Why it was trained; empty where nobody but a person or a schedule asked."""
        return self.tag("cause")

    @property
    def window(self) -> str:
        """The window of data whose alarm triggered the training."""
        return self.tag("window")

    @property
    def trained_until(self) -> datetime | None:
        """The newest time of the rows it learned from."""
        return datetime.fromisoformat(self.tag("trained_until")) if self.tag("trained_until") else None

    @property
    def table_versions(self) -> Mapping[str, int]:
        """Delta version by path of each table that was read."""
        return {str(path): int(version) for path, version in json.loads(self.tag("tables") or "{}").items()}

    @property
    def made_of(self) -> Mapping[str, int]:
        """Delta version by path of the tables that those were made from: features and their source."""
        return {str(path): int(version) for path, version in json.loads(self.tag("made_of") or "{}").items()}

    @property
    def classes(self) -> Sequence[Any]:
        """The labels that a classifier tells apart, ascending; empty for other models."""
        return list(json.loads(self.tag("classes") or "[]"))

    @property
    def numbers(self) -> Mapping[str, float]:
        """The figures that the gate decided on."""
        return {str(name): float(value) for name, value in json.loads(self.tag("numbers") or "{}").items()}
