"""The Launchpad's fields of an asset: a few of its document's, with the document's values as defaults.

What a person changes there holds for one run; the document's own model checks it again.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, create_model

Document = TypeVar("Document", bound=BaseModel)


class Knobs(dg.Config):
    """Run configuration that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


def knobs(name: str, document: BaseModel, fields: Sequence[str], **extra: Any) -> type[Knobs]:
    """A config class with the document's `fields` and, as `name=(type, Field(...))`, more of its own."""
    own = type(document).model_fields
    plain = document.model_dump(mode="json")
    taken: dict[str, Any] = {
        field: (_plain(plain[field]), Field(default=plain[field], description=own[field].description))
        for field in fields
    }
    made: type[Knobs] = create_model(name, __base__=Knobs, **taken, **extra)
    return made


def _plain(value: object) -> Any:
    """The run configuration's type of a plain value."""
    if isinstance(value, dict):
        return dict[str, Any]
    if isinstance(value, list):
        return list[type(value[0])] if value else list[str]  # type: ignore[misc]
    return type(value) if value is not None else str | None


def with_knobs(document: Document, chosen: Knobs) -> Document:
    """The document with what was chosen in the Launchpad.

    Raises:
        dagster.Failure: a chosen value is not one that the document could have.
    """
    fields = {name: value for name, value in chosen.model_dump().items() if name in type(document).model_fields}
    try:
        return type(document).model_validate({**_given(document), **fields})
    except ValueError as error:
        raise dg.Failure(f"the Launchpad's configuration does not fit: {error}", allow_retries=False) from error


def _given(document: BaseModel) -> dict[str, Any]:
    return {name: getattr(document, name) for name in document.model_fields_set}
