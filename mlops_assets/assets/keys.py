"""Asset keys and groups (names that users rely on), and the arguments that all assets of a project share."""

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
    """The asset keys of the references that are tables of the project; other references have no asset."""
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
    """The asset group of a layer, `<project>_<layer>`."""
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
    """The arguments shared by the assets of a project and layer: group, kinds, owners, tags, retries and pool.

    The pool limits concurrent writers: of the project's tables or, if given, of the `endpoint`.
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
    """The pool of all steps that write the project's tables; with a pool limit of 1 they run one at a time."""
    return pool_of("project", project.name)


def pool_of(kind: str, name: str) -> str:
    """`<kind>_<name>` in the characters that Dagster allows in a pool's name."""
    return f"{kind}_{name}".replace("-", "_")


def retry_policy(project: Project) -> dg.RetryPolicy | None:
    """The pipeline document's retries with exponential back-off; None for no retries."""
    attempts = project.pipeline.config.retry_attempts
    if not attempts:
        return None
    return dg.RetryPolicy(max_retries=attempts, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def tag_value(text: str) -> str:
    """The text in the characters and the length (63) that Dagster allows in a tag; others become `_`."""
    return "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in text)[:63]
