"""The job that replays quarantined rows into silver: after a rule was fixed, or rows were repaired or released."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.dagster_events import metadata_of
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import project_pool, table_key
from mlops_assets.assets.launchpad import LaunchConfig
from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.crosschecks.rule_types import rule_tables
from mlops_assets.config.problems import did_you_mean
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.quarantine import waiting_rows
from mlops_assets.lake.refine import DataTables, Refined
from mlops_assets.lake.replay import Overrides, replay
from mlops_assets.steps.metadata import outcome_table, row_metadata, table_metadata
from mlops_assets.steps.tables import path_of, tables_of

OP = "replay_quarantine"


class ReplayLaunchConfig(LaunchConfig):
    """What to do with quarantined rows; by default the rows of all tables are checked against the rules again."""

    table: str | None = Field(default=None, description="Silver table; every table of the project where not given.")
    where: str | None = Field(default=None, description="Condition on the quarantine's columns: which rows.")
    repair: dict[str, str] = Field(default={}, description="Source column to an expression with its new value.")
    release: list[str] = Field(default=[], description="Rules whose verdict is overridden for these rows.")


def replay_job(project: Project, tags: Mapping[str, str]) -> dg.JobDefinition | None:
    """`<project>_replay_quarantine`, whose runs get `tags`; None for a project without data documents."""
    if not project.data:
        return None

    @dg.op(
        name=f"{project.name}_{OP}_op",
        out=dg.Out(dg.Nothing),
        pool=project_pool(project),
        description="Applies steps and rules to quarantined rows again; rows that now pass go to silver, once.",
    )
    def replayed(
        context: dg.OpExecutionContext, config: ReplayLaunchConfig, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
        for document in _selected_documents(project, config):
            refined = _replay(project, document, config, context.run_id, lake)
            context.log.info("%s: %s", document.name, refined.rows)
            if refined.rows.read:
                yield dg.AssetMaterialization(
                    table_key(project, "silver", document.name),
                    description="Rows replayed from the quarantine.",
                    metadata=_metadata(tables_of(lake, project, document.name), config, refined),
                )
        yield dg.Output(None)

    @dg.job(
        name=f"{project.name}_{OP}",
        description="Moves quarantined rows that now pass, were repaired or are released into silver, each once.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        # The op's name differs by project; its name in the run configuration is the same for all.
        replayed.alias(OP)()

    return job


def _metadata(tables: DataTables, config: ReplayLaunchConfig, refined: Refined) -> dict[str, Any]:
    return metadata_of(
        {
            **(table_metadata(tables.silver) if delta.exists(tables.silver) else {}),
            **row_metadata(refined.rows),
            "quarantine_rows": waiting_rows(tables.quarantine),
            "released": list(config.release),
            "rules": outcome_table(refined.outcomes),
        }
    )


def _selected_documents(project: Project, config: ReplayLaunchConfig) -> list[Document[DataConfig]]:
    names = [document.name for document in project.data]
    if config.table is None:
        if config.release or config.repair or config.where:
            raise dg.Failure(f"release, repair and where need a table: one of {', '.join(names)}", allow_retries=False)
        return [document for document in project.data if not document.config.mode.startswith("overwrite")]
    if config.table not in names:
        hint = did_you_mean(config.table, names) or f"known are {', '.join(names)}"
        raise dg.Failure(f"project {project.name} has no silver table '{config.table}'; {hint}", allow_retries=False)
    return [document for document in project.data if document.name == config.table]


def _replay(
    project: Project, document: Document[DataConfig], config: ReplayLaunchConfig, run_id: str, lake: Warehouse
) -> Refined:
    overrides = Overrides(config.where, config.repair, tuple(config.release))
    with as_failure():
        others: Mapping[str, str] = {
            name: path_of(project, ref, lake) for name, ref in rule_tables(project, document).items()
        }
        frames = {name: delta.scan(path) for name, path in others.items() if delta.exists(path)}
        return replay(document.config, tables_of(lake, project, document.name), Run(run_id), frames, overrides)
