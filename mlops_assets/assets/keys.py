"""Names that users rely on: asset keys, groups, and the tags and owners that a project's assets share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import dagster as dg

from mlops_assets.config import Project, resolve_table

if TYPE_CHECKING:
    Materialized = dg.MaterializeResult[None]
else:
    # Dagster reads the annotation of an asset with checks, and takes the bare class only.
    Materialized = dg.MaterializeResult


def table_key(project: Project, layer: str, table: str) -> dg.AssetKey:
    """`<project>/<layer>/<table>`."""
    return dg.AssetKey([project.name, layer, table])


def dependencies(project: Project, references: Sequence[str]) -> list[dg.AssetKey]:
    """The assets behind the references that are the project's own tables."""
    found = (resolve_table(project, reference) for reference in references)
    return [table_key(project, ref.layer, ref.table) for ref in found if ref]


def model_key(project: Project, name: str) -> dg.AssetKey:
    """`<project>/model/<name>`."""
    return dg.AssetKey([project.name, "model", name])


def deployment_key(project: Project, environment: str) -> dg.AssetKey:
    """`<project>/deployment/<environment>`."""
    return dg.AssetKey([project.name, "deployment", environment])


def monitoring_key(project: Project, what: str) -> dg.AssetKey:
    """`<project>/monitoring/<what>`."""
    return dg.AssetKey([project.name, "monitoring", what])


def group(project: Project, layer: str) -> str:
    """The UI's group of a layer; two projects' layers stay apart."""
    return f"{project.name}_{layer}"


class Shared(TypedDict):
    """Arguments of `dagster.asset` that a project's assets have in common."""

    group_name: str
    kinds: set[str]
    owners: list[str]
    tags: dict[str, str]
    retry_policy: dg.RetryPolicy | None
    pool: str


def shared(
    project: Project, layer: str, kinds: Sequence[str], tags: Mapping[str, str] | None = None, endpoint: str = ""
) -> Shared:
    """The arguments that every asset of a project and layer has in common: group, kinds, owners, tags, retries, and
    the pool of its writers: those of the project's tables, or those of an `endpoint`.
    """
    pipeline = project.pipeline.config
    return {
        "group_name": group(project, layer),
        "kinds": set(kinds),
        "owners": [pipeline.owner],
        "tags": {name: tag_value(value) for name, value in {**pipeline.tags, **(tags or {})}.items()},
        "retry_policy": retry_policy(project),
        "pool": pool_of("endpoint", endpoint) if endpoint else project_pool(project),
    }


def project_pool(project: Project) -> str:
    """Whoever writes the project's tables; an instance that limits pools lets in one run at a time."""
    return pool_of("project", project.name)


def pool_of(kind: str, name: str) -> str:
    """A name that Dagster takes for a pool."""
    return f"{kind}_{name}".replace("-", "_")


def retry_policy(project: Project) -> dg.RetryPolicy | None:
    """The pipeline document's retries, with back-off."""
    attempts = project.pipeline.config.retry_attempts
    if not attempts:
        return None
    return dg.RetryPolicy(max_retries=attempts, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def tag_value(text: str) -> str:
    """The text in the letters and length that Dagster allows in a tag."""
    return "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in text)[:63]
