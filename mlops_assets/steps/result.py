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
    """The outcome of one check; `warns` where a failure stops nothing."""

    name: str
    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warns: bool = False


@dataclass(frozen=True)
class StepResult:
    """A step's report. With reasons in `blocked` it wrote nothing, because its rows are not fit to go on. `log` is
    what its numbers do not say.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    blocked: Sequence[str] = ()
    log: str = ""


@dataclass(frozen=True)
class StepRun:
    """The run that a step belongs to: its id, its tags, and what a person chose for it in the Launchpad, and
    the partitions that it is of (None: it is of none).
    """

    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    partitions: Sequence[str] | None = None
