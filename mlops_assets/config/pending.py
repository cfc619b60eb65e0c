"""Which fields of a document are accepted and checked but have no effect in this version."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlops_assets.config.base import PENDING
from mlops_assets.config.document import Document
from mlops_assets.config.source import Path, dotted


def pending_fields(document: Document[BaseModel] | BaseModel) -> list[str]:
    """Dotted names of the fields that are set, differ from their default and have no effect yet."""
    config = document.config if isinstance(document, Document) else document
    return [dotted(path) for path in _pending(config, ())]


def _pending(value: Any, path: Path) -> list[Path]:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return [found for name, field in fields for found in _of_field(value, name, field, path)]
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, item in items for found in _pending(item, (*path, key))]
    return []


def _of_field(model: BaseModel, name: str, field: FieldInfo, path: Path) -> list[Path]:
    value = getattr(model, name)
    if value == field.get_default(call_default_factory=True, validated_data=model.__dict__):
        return []
    if has_no_effect(field, value):
        return [(*path, name)]
    if isinstance(value, list):
        items = [(*path, name, index) for index, item in enumerate(value) if _is_scalar_without_effect(field, item)]
        return items or _pending(value, (*path, name))
    return _pending(value, (*path, name))


def _is_scalar_without_effect(field: FieldInfo, item: Any) -> bool:
    return isinstance(item, str) and isinstance(_marked(field), list) and has_no_effect(field, item)


def has_no_effect(field: FieldInfo, value: Any) -> bool:
    """Whether a field, or this value of it, has no effect yet."""
    pending = _marked(field)
    return value in pending if isinstance(pending, list) else bool(pending)


def _marked(field: FieldInfo) -> Any:
    """True, or the values that have no effect yet; False where all have."""
    extra = field.json_schema_extra
    return extra.get(PENDING, False) if isinstance(extra, dict) else False
