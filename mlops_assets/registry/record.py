"""Records a training as one MLflow run, with its model."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """The record of one training: the fitted estimator, its signature and all results.

    `tables` are the tables read, path to Delta version; `made_of` are the tables that those were made from.
    """

    estimator: Any
    inputs: Sequence[tuple[str, str]]
    outputs: Sequence[tuple[str, str]]
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    figures: Mapping[str, bytes] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    made_of: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)


def record(training: Training, experiment_id: str, run_name: str) -> tuple[str, Any]:
    """Log a training as a new run of the experiment; returns the run's id and MLflow's info on the logged model."""
    import mlflow

    tags = dict(training.tags)
    with mlflow.start_run(experiment_id=experiment_id, run_name=run_name or None, tags=tags) as run:
        mlflow.log_params({key: str(value)[:500] for key, value in training.params.items()})
        _log_tables(training)
        _log_files(training)
        info = _log_model(training)
        # After the model: MLflow copies what was measured before it metric by metric.
        mlflow.log_metrics(dict(training.metrics), model_id=info.model_id)
    return run.info.run_id, info


def _log_model(training: Training) -> Any:
    import mlflow

    from mlops_assets import model_folder

    described = model_folder.Described(training.estimator, training.inputs, training.outputs, training.example)
    return mlflow.models.Model.log(
        artifact_path=None,
        name="model",
        flavor=model_folder,
        flavor_name="sklearn",
        described=described,
        # The example is made of rows that the model has been measured on.
        validate_serving_input=False,
    )


def _log_tables(training: Training) -> None:
    import mlflow

    read = [(_dataset(*each), "training") for each in training.tables.items()]
    sources = [(_dataset(*each), "features") for each in training.made_of.items() if each[0] not in training.tables]
    datasets, contexts = zip(*read, *sources, strict=True) if read or sources else ((), ())
    mlflow.log_inputs(list(datasets), list(contexts), [None] * len(datasets))


def _dataset(table: str, version: int) -> Any:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = DeltaDatasetSource(path=table, delta_table_version=version)
    # MLflow's own type leaves out a method that its base class wants.
    return MetaDataset(source, name=Path(table).name)  # type: ignore[abstract]


def _log_files(training: Training) -> None:
    """Figures and texts, all in one go."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        for title, png in training.figures.items():
            Path(folder, f"{title}.png").write_bytes(png)
        for file, text in training.files.items():
            Path(folder, file).write_text(text)
        mlflow.log_artifacts(folder)
