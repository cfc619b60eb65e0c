"""Entry point of a step that runs as a job of a cluster: this package's wheel there, no Dagster.

The caller sends the step, its project's documents and what was chosen for the run through Dagster Pipes, and gets the
report back the same way. Mistakes of documents or data are an answer, like a blocked step; anything else ends the
process with a traceback and a code that is not 0.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dagster_pipes import (
    PipesBufferedFilesystemMessageWriterChannel,
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesDefaultLogWriter,
    PipesDefaultLogWriterChannel,
    PipesUnityCatalogVolumesContextLoader,
    PipesUnityCatalogVolumesMessageWriter,
    open_dagster_pipes,
)

from mlops_assets.config import Document, Project
from mlops_assets.config.shipped import unpacked
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.polars import POLARS
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.unity import UnityModels
from mlops_assets.secrets import VARIABLE as SECRET_STORE
from mlops_assets.steps import data, features, model
from mlops_assets.steps.errors import USER_ERRORS
from mlops_assets.steps.result import MetadataValue, StepResult, StepRun
from mlops_assets.steps.unity import with_catalog_name
from mlops_assets.unity_tables import UnityCatalog, UnityTables, sql_executor

REPORT_SECONDS = 2.0


class LogChannel(PipesDefaultLogWriterChannel):
    """Forwards one of the step's standard streams to Dagster."""

    WAIT_FOR_TEE_SECONDS = 0.25  # `tee` passes a line on within milliseconds


class LogWriter(PipesDefaultLogWriter):
    """Forwards standard output and standard error."""

    def make_channel(self, params: Mapping[str, Any], stream: Literal["stdout", "stderr"]) -> LogChannel:
        """The channel of one stream."""
        return LogChannel(self.message_channel, stream, stream, self.interval)


class MessageWriter(PipesUnityCatalogVolumesMessageWriter):
    """Pipes' writer to a volume, without the four seconds that it waits for output at the end of every step."""

    @contextmanager
    def open(self, params: Mapping[str, Any]) -> Iterator[PipesBufferedFilesystemMessageWriterChannel]:
        """The channel of messages, which carries the forwarded streams too."""
        channel = self.make_channel(params)
        with channel.buffered_upload_loop(), LogWriter(channel, interval=0.1).open({}):
            yield channel


def main() -> None:
    """Run the step that the command line's Pipes parameters name, and report it."""
    with open_dagster_pipes(
        params_loader=PipesCliArgsParamsLoader(),  # type: ignore[no-untyped-call]
        context_loader=PipesUnityCatalogVolumesContextLoader(),
        message_writer=MessageWriter(interval=REPORT_SECONDS),
    ) as pipes:
        extras = pipes.extras
        try:
            result = run_step(extras["step"], extras["project"], Path(extras["home"]), pipes.run_id, extras)
        except USER_ERRORS as error:
            pipes.report_custom_message({"outcome": "refused", "reason": str(error)})
        else:
            report(pipes, result)


def run_step(
    step: list[str], shipped: Mapping[str, Any], home: Path, run_id: str, extras: Mapping[str, Any]
) -> StepResult:
    """Run the step of an asset key without its project (`silver/flights`) on the tables below `home`.

    `asked` holds MLflow's `tracking_uri` and may hold its `registry_uri` and `unity_models`, the name of the store of
    `secrets`, the folder of `tables` and what Unity Catalog is told of them (`unity_tables`), the `engine` (Polars
    without it), the run's `tags`, and what was `chosen` in the Launchpad.
    """
    if extras.get("secrets"):
        os.environ.setdefault(SECRET_STORE, extras["secrets"])
    with tempfile.TemporaryDirectory() as folder:
        project = unpacked(shipped, Path(folder))
        run = StepRun(run_id, extras.get("tags", {}), extras.get("chosen", {}))
        engine = _engine(extras.get("engine", "polars"))
        lake = Warehouse(home, engine, tables=extras.get("tables"), catalog=_catalog(extras))
        return with_catalog_name(project, step, _found(project, step)(lake, _registry(extras, home), run), lake)


def _catalog(extras: Mapping[str, Any]) -> UnityCatalog | None:
    """Unity Catalog, accessed with the job's own identity; None if no tables are registered."""
    if extras.get("unity_tables") is None:
        return None
    from databricks.sdk import WorkspaceClient

    tables = UnityTables(**extras["unity_tables"])
    return UnityCatalog(tables, sql_executor(WorkspaceClient, tables.warehouse_id))


def _registry(extras: Mapping[str, Any], home: Path) -> ModelRegistry:
    """Unity Catalog's registry, or one whose files are below `home`."""
    unity = extras.get("unity_models")
    if unity is None:
        return ModelRegistry(extras["tracking_uri"], home / "mlartifacts", extras.get("registry_uri"))
    return ModelRegistry(extras["tracking_uri"], None, extras.get("registry_uri"), UnityModels(**unity))


def _engine(name: str) -> Engine[Any]:
    """What moves the rows: the cluster's own Spark session (one is opened where a process has none), or Polars."""
    if name == "polars":
        return POLARS
    from pyspark.sql import SparkSession

    from mlops_assets.config.platform import SparkConfig
    from mlops_assets.lake.spark.engine import SparkEngine
    from mlops_assets.lake.spark.session import open_session

    return SparkEngine(SparkConfig(), lambda config: SparkSession.getActiveSession() or open_session(config))


def _found(project: Project, step: list[str]) -> Callable[[Warehouse, ModelRegistry, StepRun], StepResult]:
    """What runs a step: its layer says how, its name of which document."""
    from mlops_assets.config.lineage import model_documents

    layer, name = step
    if layer == "bronze":
        document = _named(project.data, name)
        return lambda lake, registry, run: data.bronze(project, document, lake)
    if layer == "silver":
        refined = _named(project.data, name)
        return lambda lake, registry, run: data.silver(project, refined, _chosen(refined, run), lake, run)
    for documents in model_documents(project):
        if (layer, name) == ("gold", documents.training_set):
            return lambda lake, registry, run: model.training_set(project, documents, lake, run)
        if (layer, name) == ("model", documents.training.name):
            again = documents.training
            return lambda lake, registry, run: model.model(
                project, documents, _chosen(again, run), lake, registry, run, again=bool(run.chosen.get("again"))
            )
    table = _named(project.features, name)
    return lambda lake, registry, run: features.features(
        project, table, lake, everything=bool(run.chosen.get("full_refresh"))
    )


def _named(documents: tuple[Document[Any], ...], name: str) -> Document[Any]:
    for document in documents:
        if document.name == name:
            return document
    raise LookupError(f"the project that was sent has no document '{name}'")


def _chosen(document: Document[Any], run: StepRun) -> Any:
    """The document's config with what was chosen for this run; the caller has checked it already."""
    return document.config.with_fields(run.chosen)


def report(pipes: PipesContext, result: StepResult) -> None:
    """Send checks first, then the materialization or the reason for none."""
    for check in result.checks:
        pipes.report_asset_check(
            check.name,
            check.passed,
            severity="WARN" if check.warns else "ERROR",
            metadata=_plain({"description": check.description, **check.metadata}),
        )
    if result.blocked:
        pipes.report_custom_message({"outcome": "blocked", "reasons": list(result.blocked)})
        return
    pipes.log.info(result.log)
    pipes.report_asset_materialization(metadata=_plain(result.metadata))
    pipes.report_custom_message({"outcome": "done"})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as Pipes takes it: a raw value, with its type where it is not plain."""
    return {
        name: {"raw_value": value.value, "type": value.kind} if isinstance(value, MetadataValue) else value
        for name, value in values.items()
    }


if __name__ == "__main__":
    main()
