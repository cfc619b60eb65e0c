"""Who was champion when, of all versions of a model, oldest first."""

from collections.abc import Sequence
from datetime import datetime

from mlops_assets.registry.errors import RegistryError
from mlops_assets.registry.version import ModelVersion


def champion_at(versions: Sequence[ModelVersion], moment: datetime) -> ModelVersion | None:
    """The version that was champion at a moment, None where none was yet."""
    reigns = [reign for reign in _reigns(versions) if reign[0] <= moment]
    return reigns[-1][1] if reigns else None


def first_champion(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """The first version that was ever champion, None where none was."""
    reigns = _reigns(versions)
    return reigns[0][1] if reigns else None


def baseline_version(versions: Sequence[ModelVersion], model: str, run_id: str | None = None) -> ModelVersion:
    """The version of an MLflow run, else the first that was ever champion.

    Raises:
        RegistryError: `model` has none.
    """
    found = [version for version in versions if (version.run_id == run_id if run_id else version.promoted)]
    if not found:
        what = f"version from run '{run_id}'" if run_id else "version that was ever deployed"
        raise RegistryError(f"model '{model}' has no {what}")
    return found[0]


def before(versions: Sequence[ModelVersion], version: ModelVersion) -> ModelVersion:
    """The version that was champion before a version was.

    Raises:
        RegistryError: none was.
    """
    older = [each for each in versions if each.promoted and each.number < version.number]
    if not older:
        raise RegistryError(f"no version of '{version.name}' older than {version.version} was ever champion")
    return older[-1]


def _reigns(versions: Sequence[ModelVersion]) -> list[tuple[datetime, ModelVersion]]:
    """Who became champion when, in the order of time."""
    found = [(since, each) for each in versions for since in each.champion_since]
    return sorted(found, key=lambda reign: reign[0])
