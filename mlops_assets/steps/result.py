"""The result of a step: metadata, checks, and the reasons where it wrote nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["md", "url", "json", "table_schema"]


@dataclass(frozen=True)
class MetadataValue:
    """A metadata value that plain Python has no type for; `kind` is the name that Dagster Pipes has for it."""

    kind: Kind
    value: Any


@dataclass(frozen=True)
class Check:
    """The outcome of one check; with `warns`, a failure does not stop anything."""

    name: str
    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warns: bool = False


@dataclass(frozen=True)
class StepResult:
    """The result of a step. With reasons in `blocked` it wrote nothing, because its rows must not go downstream.

    `log` is a sentence for the run's log.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    blocked: Sequence[str] = ()
    log: str = ""


@dataclass(frozen=True)
class StepRun:
    """A step's run: its id, tags, values chosen in the Launchpad, and partitions (None: not partitioned)."""

    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    partitions: Sequence[str] | None = None
