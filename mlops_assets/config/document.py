"""A checked document: its config, its name and where each of its fields stands."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from mlops_assets.config.base import last_part
from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.parsing.source import Position, Source
from mlops_assets.config.pipeline import PipelineConfig
from mlops_assets.config.problems import Problem
from mlops_assets.config.training import TrainingConfig

C = TypeVar("C", bound=BaseModel, covariant=True)
FieldPath = str | Sequence[str | int]


@dataclass(frozen=True)
class Document(Generic[C]):
    """One document of a project; `file` is relative to the current folder where it lies below it."""

    config: C
    file: str
    stem: str
    source: Source = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """What the document makes: the table, model or environment; a monitor's model, a pipeline's name."""
        return document_name(self.config) or self.stem

    def line_of(self, field_path: FieldPath) -> tuple[int, int]:
        """Line and column of a field (`gate.metric`), or of what is around it if not spelled out."""
        position = self.position(field_path)
        return position.line, position.column

    def position(self, field_path: FieldPath) -> Position:
        """The place of a field: a scalar itself, but the key of a mapping or list."""
        return self.source.place(self.source.path_of(field_path)).shown

    def problem(self, field_path: FieldPath, message: str, hint: str = "") -> Problem:
        """A problem of this document's field."""
        return self.position(field_path).problem(field_path, message, hint)

    def text_start(self, field_path: FieldPath) -> Position:
        """Where the text of a scalar starts, behind its quote: column 1 of an error inside it."""
        place = self.source.place(self.source.path_of(field_path))
        return place.text_start or place.shown


def document_name(config: BaseModel) -> str:
    """The name of what a config makes; empty for a monitor that does not name its model."""
    match config:
        case DataConfig():
            return last_part(config.destination_path)
        case FeatureConfig():
            return last_part(config.feature_table_name)
        case TrainingConfig():
            return config.registry_model_name.rsplit(".", 1)[-1]
        case DeploymentConfig():
            return config.environment
        case MonitoringConfig():
            return (config.model_name or "").rsplit(".", 1)[-1]
        case PipelineConfig():
            return config.name
    return ""


def config_hash(document: Document[BaseModel] | BaseModel) -> str:
    """SHA-256 in hexadecimal of a config's canonical JSON, with secrets masked."""
    config = document.config if isinstance(document, Document) else document
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
