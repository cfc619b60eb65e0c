"""Rolls out a version as its deployment document says: to an endpoint, or as a test of batch scoring."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config import DeploymentConfig, Project
from mlops_assets.config.lineage import model_documents, training_set_name
from mlops_assets.features.frames import model_frame
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.resources.serving import Serving
from mlops_assets.serving.batch import score
from mlops_assets.serving.endpoint_tests import Probe, TestResult, run_tests
from mlops_assets.serving.model import ServedModel, load_served_model
from mlops_assets.serving.onnx import OnnxModel, cached_conversion, converted, with_onnx
from mlops_assets.serving.rollout import RolledOut, Rollout
from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, Version
from mlops_assets.serving.watching import Watch

if TYPE_CHECKING:
    import pandas

SCORES = "scores"
PROBE_ROWS = 1000


@dataclass(frozen=True)
class Deployment:
    """A deployment document with the platform's resources."""

    project: Project
    config: DeploymentConfig
    lake: Warehouse
    registry: ModelRegistry
    serving: Serving

    def roll_out(self, version: ModelVersion) -> RolledOut:
        """Serve the version at its endpoint; without an endpoint, test that it can score."""
        endpoint = self.config.deployment_type == "serving_endpoint"
        return self._serve(version) if endpoint else self._score(version)

    def _serve(self, version: ModelVersion) -> RolledOut:
        """Roll the version out; if a test or a criterion fails, the endpoint goes back to the previous version."""
        config, model = self.config, load_served_model(self.registry.local_path(version))
        rows = as_callers_send(self._probe_rows(), list(model.inputs))
        if config.serving_engine == "onnx":
            model = self._as_graph(model, version, rows)
        with self.serving.endpoints() as endpoints:
            wanted = self._spec(version)
            probe = Probe(lambda asked: endpoints.ask(wanted.name, asked, wanted.served_name), model, rows)

            def spec_of(name: str, number: str) -> EndpointSpec:
                return self._spec(self.registry.version(name, number))

            def watch(old: str, new: str) -> Watch:
                return Watch(endpoints, wanted.name, old, new, probe.inputs)

            def tested() -> list[TestResult]:
                return run_tests(probe, config.tests)

            return Rollout(endpoints, wanted, spec_of, tested, config.rollout, watch).run()

    def _score(self, version: ModelVersion) -> RolledOut:
        """Score the probe rows with the version in this process."""
        rows, model = self._probe_rows(), load_served_model(self.registry.local_path(version))
        scored = score(model, rows, version=version.version, keep=[])
        missing = scored["prediction"].null_count()
        outcome = f"{scored.height - missing} of {rows.height} rows have a prediction"
        champion = self.registry.champion(version.name)
        result = TestResult(SCORES, scored.height == rows.height and not missing, outcome, {"rows": rows.height})
        nowhere = EndpointStatus(name=self.config.endpoint_name, ready=False, config_update="NOT_UPDATING")
        return RolledOut(nowhere, Version(champion.name, champion.version) if champion else None, [result])

    def _probe_rows(self) -> pl.DataFrame:
        """The last PROBE_ROWS rows of the training set, as raw features."""
        training_set = training_set_name(self.project, self.config.model_name)
        return delta.scan(self.lake.table(self.project.name, "gold", training_set)).tail(PROBE_ROWS).collect()

    def _as_graph(self, model: ServedModel, version: ModelVersion, rows: "pandas.DataFrame") -> ServedModel:
        """The model with its estimator as an ONNX graph; its deviation is tagged on the version in MLflow."""
        path = self.registry.local_path(version)
        graph = converted(model, path, rows, _onnx_folder(self.lake), self.config.onnx_tolerance)
        self.registry.tag(version, onnx_deviation=f"{graph.deviation:.3g}", onnx_rows=str(graph.rows))
        return with_onnx(model, graph.file)

    def _spec(self, version: ModelVersion) -> EndpointSpec:
        config, inference_log, path = self.config, self.config.inference_log, self.registry.local_path(version)
        graph = _onnx_model(config, path, self.lake)
        min_replicas = config.min_replicas if config.autoscaling_enabled else max(1, config.min_replicas)
        log = self.lake.table(self.project.name, "monitoring", "inference_log") if inference_log.enabled else None
        return EndpointSpec(
            name=config.endpoint_name,
            model_name=version.name,
            version=version.version,
            model_path=str(path),
            onnx_path=graph.file if graph else None,
            environment_variables=self.serving.environment(config.environment_variables),
            tags=config.tags,
            compute_scale=config.compute_scale,
            min_replicas=min_replicas,
            max_replicas=config.max_replicas if config.autoscaling_enabled else min_replicas,
            timeout_seconds=config.timeout_seconds,
            enable_access_control=config.enable_access_control,
            requests_per_minute=config.requests_per_minute,
            inference_table=log,
            logged_fraction=inference_log.fraction,
            hashed_columns=tuple(inference_log.hash_columns),
            dropped_columns=tuple(inference_log.drop_columns),
            online_features=online_features(self.project, config.model_name),
        )


def _onnx_folder(lake: Warehouse) -> Path:
    return lake.home.resolve() / "gateway" / "onnx"


def _onnx_model(config: DeploymentConfig, path: Path, lake: Warehouse) -> OnnxModel | None:
    """The version's ONNX graph if the document asks for one and it is within the tolerance.

    An earlier version without a graph is served by scikit-learn, as before.
    """
    graph = cached_conversion(path, _onnx_folder(lake)) if config.serving_engine == "onnx" else None
    return graph if graph and graph.deviation <= config.onnx_tolerance else None


def graph_figures(
    config: DeploymentConfig, version: ModelVersion, lake: Warehouse, registry: ModelRegistry
) -> dict[str, float | str]:
    """The deviation of the version's ONNX graph from scikit-learn; empty if it is served without one."""
    graph = _onnx_model(config, registry.local_path(version), lake)
    if graph is None:
        return {}
    figures = {"onnx_deviation": graph.deviation, "onnx_labels_differing": graph.labels_differing}
    return {**figures, "onnx_rows": graph.rows, "onnx_precision": graph.precision}


def online_features(project: Project, model: str) -> str | None:
    """The feature table, as project/table, whose rows requests may name by key; None if it has no online store."""
    for documents in model_documents(project):
        if documents.model == model and documents.features.config.online_store_enabled:
            return f"{project.name}/{documents.features.name}"
    return None


def as_callers_send(rows: pl.DataFrame, inputs: list[str]) -> "pandas.DataFrame":
    """The rows as a caller would send them: model inputs as numbers and texts, other columns unchanged."""
    import pandas as pd

    return pd.concat([model_frame(rows, inputs), rows.drop(inputs).to_pandas()], axis=1)
