"""Which documents and tables belong to a model, and what a version was made of."""

from dataclasses import dataclass

from mlops_assets.config import (
    DataConfig,
    DeploymentConfig,
    Document,
    FeatureConfig,
    MonitoringConfig,
    Project,
    TrainingConfig,
)
from mlops_assets.config.crosschecks.references import feature_document_of
from mlops_assets.config.tables import resolve_table, writer_of


@dataclass(frozen=True)
class ModelDocuments:
    """A model's documents, and the names of its tables: short ones where the project has one model, else with the
    model's.
    """

    training: Document[TrainingConfig]
    features: Document[FeatureConfig]
    deployments: tuple[Document[DeploymentConfig], ...]
    monitoring: Document[MonitoringConfig] | None
    prefix: str

    @property
    def model(self) -> str:
        """The registered name."""
        return self.training.config.registry_model_name

    @property
    def training_set(self) -> str:
        """The gold table that training reads."""
        return f"{self.prefix}training_set"

    @property
    def predictions(self) -> str:
        """The gold table of predictions."""
        return f"{self.prefix}predictions"


def model_documents(project: Project) -> list[ModelDocuments]:
    """Each training document with the other documents of its model."""
    return [_model_documents(project, training) for training in project.training]


def _model_documents(project: Project, training: Document[TrainingConfig]) -> ModelDocuments:
    model = training.config.registry_model_name
    watching = [each for each in project.monitoring if each.config.enabled and each.config.model_name in (None, model)]
    return ModelDocuments(
        training,
        _features(project, training),
        tuple(each for each in project.deployment if each.config.model_name == model),
        watching[0] if watching else None,
        "" if len(project.training) == 1 else f"{training.name}_",
    )


def _features(project: Project, training: Document[TrainingConfig]) -> Document[FeatureConfig]:
    """The feature document that a model trains on."""
    found = feature_document_of(project, training.config.feature_table)
    assert found is not None, "the loader has checked that there is one"
    return found


def source_document(project: Project, features: Document[FeatureConfig]) -> Document[DataConfig] | None:
    """The data document of a feature table's source; None if no document writes it."""
    table = resolve_table(project, features.config.source_table, features)
    found = writer_of(project, table) if table else None
    return found if found is not None and isinstance(found.config, DataConfig) else None


def has_scoring_job(documents: ModelDocuments) -> bool:
    """Whether a model is scored in a separate job: its production deployment is of type `job`."""
    return any(
        each.config.environment == "production" and each.config.deployment_type == "job"
        for each in documents.deployments
    )


def training_set_name(project: Project, model: str) -> str:
    """The gold table that the model's training reads."""
    return next(each.training_set for each in model_documents(project) if each.model == model)
