"""The history of champions, from all versions of a model, oldest first."""

from collections.abc import Sequence
from datetime import datetime

from mlops_assets.registry.errors import RegistryError
from mlops_assets.registry.version import ModelVersion


def champion_at(versions: Sequence[ModelVersion], moment: datetime) -> ModelVersion | None:
    """The version that was champion at a moment; None if there was none yet."""
    promotions = [promotion for promotion in _by_date(versions) if promotion[0] <= moment]
    return promotions[-1][1] if promotions else None


def first_champion(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """The first version that was ever champion; None if there was none."""
    promotions = _by_date(versions)
    return promotions[0][1] if promotions else None


def baseline_version(versions: Sequence[ModelVersion], model: str, run_id: str | None = None) -> ModelVersion:
    """The version registered by an MLflow run; without a run, the first champion.

    Raises:
        RegistryError: `model` has no such version.
    """
    found = [version for version in versions if (version.run_id == run_id if run_id else version.promoted)]
    if not found:
        what = f"version from run '{run_id}'" if run_id else "version that was ever deployed"
        raise RegistryError(f"model '{model}' has no {what}")
    return found[0]


def previous_champion(versions: Sequence[ModelVersion], version: ModelVersion) -> ModelVersion:
    """The newest champion older than a version.

    Raises:
        RegistryError: there is none.
    """
    older = [each for each in versions if each.promoted and each.number < version.number]
    if not older:
        raise RegistryError(f"no version of '{version.name}' older than {version.version} was ever champion")
    return older[-1]


def _by_date(versions: Sequence[ModelVersion]) -> list[tuple[datetime, ModelVersion]]:
    """Every promotion, with its time, in order."""
    found = [(since, each) for each in versions for since in each.champion_since]
    return sorted(found, key=lambda promotion: promotion[0])
