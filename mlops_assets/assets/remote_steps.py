"""Assets whose steps run in a Databricks workspace; keys, checks, dependencies and run configuration stay the same."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.config import Project
from mlops_assets.config.lineage import model_documents

if TYPE_CHECKING:
    from mlops_assets.resources.remote_steps import RemoteSteps

RESOURCE = "remote_steps"


def with_remote_step(project: Project, asset: dg.AssetsDefinition, layers: Sequence[str]) -> dg.AssetsDefinition:
    """The asset with its step run in the workspace if its layer is one of `layers`, else the asset unchanged.

    Scoring always runs locally: it needs the champion's files, which steps in the workspace do not have.
    """
    _, *step = asset.key.path
    scoring = [["gold", documents.predictions] for documents in model_documents(project)]
    if step[0] not in layers or step in scoring:
        return asset

    @dg.multi_asset(
        name=asset.op.name,
        specs=list(asset.specs),
        check_specs=list(asset.check_specs),
        config_schema=_fields(asset),
        retry_policy=asset.op.retry_policy,
        pool=asset.op.pool,
        required_resource_keys={RESOURCE},
    )
    def in_the_workspace(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        remote: RemoteSteps = getattr(context.resources, RESOURCE)
        yield from remote.run(context, project, step)

    return in_the_workspace


def _fields(asset: dg.AssetsDefinition) -> dict[str, Any]:
    """The config schema of an asset; empty, which accepts anything, for an asset without config."""
    kind = asset.op.config_schema.config_type
    return dict(getattr(kind, "fields", {}))
