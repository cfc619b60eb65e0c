"""What is sent to people: a title, a text, and the same as facts for machines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True)
class Message:
    """`subject` is the model or pipeline that it is about; messages of one subject belong to one incident."""

    subject: str
    title: str
    body: str
    tone: Tone
    facts: Mapping[str, Any] = field(default_factory=dict)
