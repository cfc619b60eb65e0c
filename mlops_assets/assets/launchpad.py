"""Run configuration of an asset: a few of its document's fields, with the document's values as defaults.

What a person changes in the Launchpad holds for one run; the document's own model checks it again.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import dagster as dg
from pydantic import ConfigDict, Field, create_model

from mlops_assets.config.base import StrictModel

Document = TypeVar("Document", bound=StrictModel)


class LaunchConfig(dg.Config):
    """Run configuration that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


def launch_config(name: str, document: StrictModel, fields: Sequence[str], **extra: Any) -> type[LaunchConfig]:
    """A config class with the document's `fields` and, as `name=(type, Field(...))`, more of its own."""
    own = type(document).model_fields
    plain = document.model_dump(mode="json")
    taken: dict[str, Any] = {
        field: (_plain(plain[field]), Field(default=plain[field], description=own[field].description))
        for field in fields
    }
    made: type[LaunchConfig] = create_model(name, __base__=LaunchConfig, **taken, **extra)
    return made


def _plain(value: object) -> Any:
    """The run configuration's type of a plain value."""
    if isinstance(value, dict):
        return dict[str, Any]
    if isinstance(value, list):
        return list[type(value[0])] if value else list[str]  # type: ignore[misc]
    return type(value) if value is not None else str | None


def with_launch_config(document: Document, chosen: LaunchConfig) -> Document:
    """The document with what was chosen in the Launchpad.

    Raises:
        dagster.Failure: a chosen value is not one that the document could have.
    """
    try:
        return document.with_fields(chosen.model_dump())
    except ValueError as error:
        raise dg.Failure(f"the Launchpad's configuration does not fit: {error}", allow_retries=False) from error
