"""Run configuration of an asset: some fields of its document, with the document's values as defaults.

A change in the Launchpad applies to one run; it is validated by the document's own model.
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
    """A config class with the document's `fields` and further ones given as `name=(type, Field(...))`."""
    own = type(document).model_fields
    plain = document.model_dump(mode="json")
    chosen: dict[str, Any] = {
        field: (_launchpad_type(plain[field]), Field(default=plain[field], description=own[field].description))
        for field in fields
    }
    config_class: type[LaunchConfig] = create_model(name, __base__=LaunchConfig, **chosen, **extra)
    return config_class


def _launchpad_type(value: object) -> Any:
    """The type of a field in the run configuration, from its JSON value in the document."""
    if isinstance(value, dict):
        return dict[str, Any]
    if isinstance(value, list):
        return list[type(value[0])] if value else list[str]  # type: ignore[misc]
    return type(value) if value is not None else str | None


def with_launch_config(document: Document, chosen: LaunchConfig) -> Document:
    """The document with the values chosen in the Launchpad.

    Raises:
        dagster.Failure: a chosen value is not valid in the document.
    """
    try:
        return document.with_fields(chosen.model_dump())
    except ValueError as error:
        raise dg.Failure(f"the Launchpad's configuration does not fit: {error}", allow_retries=False) from error
