"""A person's approval of a version, by a tag or an alias set in the registry."""

from collections.abc import Sequence

from mlops_assets.registry import unity
from mlops_assets.registry.errors import RegistryError
from mlops_assets.registry.server import MlflowServer
from mlops_assets.registry.version import APPROVED, ModelVersion


def require_approval(server: MlflowServer, version: ModelVersion, environment: str, approvers: Sequence[str]) -> str:
    """Who has approved a version, from its tag `mlops.approved_by`; empty if it has only the alias `approved`.

    The alias names nobody, so it is enough only if `approvers` is empty.

    Raises:
        RegistryError: nobody has approved it (with what to do), or somebody who is not an approver.
    """
    by = version.tag("approved_by")
    if by and approvers and by not in approvers:
        raise RegistryError(
            f"version {version.version} of '{version.name}' was approved for {environment} by {by}, who is none of "
            f"{', '.join(approvers)}"
        )
    if by or (not approvers and str(server.aliases(version.name).get(APPROVED)) == version.version):
        return by
    tag = unity.tag_name("approved_by") if server.unity else f"{unity.PREFIX}approved_by"
    client = f"MlflowClient(registry_uri='{server.registry_uri}')"
    if approvers:
        how = f"the tag '{tag}' on it to {' or '.join(approvers)}"
        call = f"{client}.set_model_version_tag('{version.name}', '{version.version}', '{tag}', …)"
    else:
        how = f"the alias '{APPROVED}' or the tag '{tag}' on it"
        call = f"{client}.set_registered_model_alias('{version.name}', '{APPROVED}', '{version.version}')"
    raise RegistryError(
        f"version {version.version} of '{version.name}' waits for a person's approval for {environment}: set "
        f"{how}, in MLflow's UI ({server.url(version)}) or with {call}; the approval sensor then goes on, or run "
        "this asset again"
    )
