"""MLflow as the register of models: a run and a version per training, aliases for what serves.

Every fact that a later step needs is a tag of the version, so that nothing but the registry has to be asked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mlops_assets.registry import unity
from mlops_assets.registry.approval import require_approval
from mlops_assets.registry.errors import RegistryError
from mlops_assets.registry.files import VersionFiles
from mlops_assets.registry.record import Training, record
from mlops_assets.registry.server import MlflowServer
from mlops_assets.registry.unity import UnityModels
from mlops_assets.registry.version import CHALLENGER, CHAMPION, REFUSED, ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_CHAMPION_DATES = 20  # fit in a tag of Unity Catalog
ARTIFACTS = "mlartifacts"  # the folder of model files below MLOPS_HOME


class ModelRegistry:
    """The models of one MLflow tracking server; MLflow is imported at first use (seconds)."""

    def __init__(
        self,
        tracking_uri: str,
        artifacts: Path | None,
        registry_uri: str | None = None,
        unity: UnityModels | None = None,
    ) -> None:
        """Connect nothing yet; see `MlflowServer`."""
        self.server = MlflowServer(tracking_uri, artifacts, registry_uri, unity)
        self.files = VersionFiles(self.server)
        self.unity = unity

    @classmethod
    def below(cls, home: Path) -> Self:
        """MLflow on sqlite in `home`."""
        return cls(f"sqlite:///{home / 'mlflow.db'}", home / ARTIFACTS)

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client."""
        return self.server.client

    def log(self, name: str, experiment: str, run_name: str, training: Training) -> ModelVersion:
        """Record a training as one MLflow run and register its model as the next version of `name`."""
        client, name = self.client, self.server.full(name)
        self.server.point_mlflow_here()
        run_id, info = record(training, self.server.experiment(experiment), run_name)
        self.server.register(name)
        tags = {**training.tags, f"{unity.PREFIX}model_id": info.model_id}
        found = client.create_model_version(
            name,
            source=info.model_uri,
            run_id=run_id,
            tags=unity.logged_tags(tags) if self.unity else tags,
            model_id=info.model_id if self.unity else None,  # without it Unity Catalog cannot copy the version
        )
        version = self.server.read(found)
        client.set_registered_model_alias(name, CHALLENGER, version.version)
        return version

    def challenge(self, version: ModelVersion) -> None:
        """See to it that a version has the alias `challenger` where it is the newest: a run that was killed right
        after it was registered had no time to.
        """
        aliases, newest = self.server.aliases(version.name), self.versions(version.name)[-1]
        if newest.version == version.version and str(aliases.get(CHALLENGER)) != version.version:
            self.client.set_registered_model_alias(version.name, CHALLENGER, version.version)

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, oldest first; empty if there is no such model."""
        if self.server.registered(name) is None:
            return []
        return sorted(map(self.server.read, self.server.found(name)), key=lambda version: version.number)

    def version(self, name: str, which: str) -> ModelVersion:
        """A version by number or alias, or `latest`.

        Raises:
            RegistryError: there is none, with those there are.
        """
        known = self.versions(name)
        aliases = self.server.aliases(name)
        wanted = known[-1].version if which == "latest" and known else str(aliases.get(which, which))
        for version in known:
            if version.version == wanted:
                return version
        there = ", ".join([*(version.version for version in known), *aliases]) or "none: run its pipeline first"
        raise RegistryError(f"model '{name}' has no version or alias '{which}'; there are {there}")

    def latest_passed(self, name: str) -> ModelVersion:
        """The newest version that has passed its gate.

        Raises:
            RegistryError: there is none, with the last refusal.
        """
        known = self.versions(name)
        passed = [version for version in known if version.passed]
        if not passed:
            last = f"; version {known[-1].version} was refused: {known[-1].decision}" if known else ""
            raise RegistryError(f"no version of '{name}' has passed its gate{last}")
        return passed[-1]

    def champion(self, name: str) -> ModelVersion | None:
        """The version with the alias `champion`; None if there is none yet."""
        number = self.server.aliases(name).get(CHAMPION)
        return None if number is None else self.server.version(name, number)

    def require_champion(self, name: str) -> ModelVersion:
        """The champion.

        Raises:
            RegistryError: nothing has been deployed to production yet.
        """
        found = self.champion(name)
        if found is None:
            raise RegistryError(
                f"model '{name}' has no champion yet: run its pipeline, which deploys one to production"
            )
        return found

    def withdraw(self, version: ModelVersion, reason: str) -> None:
        """Mark a version as refused by its gate, so that it is not deployed again."""
        self.tag(version, gate=REFUSED, decision=reason)

    def with_tag(self, name: str, tag: str, value: str) -> ModelVersion | None:
        """The newest version with this value of a tag."""
        found = [version for version in self.versions(name) if version.tag(tag) == value]
        return found[-1] if found else None

    def name_in(self, environment: str, name: str) -> str:
        """A model's name in an environment; the same name unless the environment has its own schema."""
        return self.unity.name_in(name, environment) if self.unity else name

    def copied(self, version: ModelVersion, name: str) -> ModelVersion:
        """The copy of a version as a version of another registered model; the one there is already, where there is,
        and the version itself where the name is its own.
        """
        name = self.server.full(name)
        if name == version.name:
            return version
        for known in self.versions(name):
            if known.run_id == version.run_id:
                return known
        self.server.point_mlflow_here()
        made = self.client.copy_model_version(f"models:/{version.name}/{version.version}", name)
        return self.version(name, str(made.version))

    def twins(self, version: ModelVersion) -> list[ModelVersion]:
        """The version, its copies, and the version that it is a copy of."""
        found = map(self.server.read, self.server.of_run(version.run_id)) if version.run_id else ()
        return [version, *(each for each in found if each.name != version.name)]

    def promote(self, version: ModelVersion) -> None:
        """Move the alias `champion` to a version; the first time and the last MAX_CHAMPION_DATES times are recorded."""
        now, dates = datetime.now(UTC).isoformat(), version.tag("champion_since").split()
        if not version.promoted:
            self.tag(version, promoted_at=now)
        self.tag(version, champion_since=" ".join([*dates, now][-MAX_CHAMPION_DATES:]))
        self.client.set_registered_model_alias(version.name, CHAMPION, version.version)

    def tag(self, version: ModelVersion, **tags: str) -> None:
        """Set tags of this package on a version."""
        for name, value in tags.items():
            key = unity.tag_name(name) if self.unity else unity.PREFIX + name
            text = value.strip()[: unity.LONGEST] if self.unity else value
            self.client.set_model_version_tag(version.name, version.version, key, text)

    def require_approval(self, version: ModelVersion, environment: str, approvers: Sequence[str] = ()) -> str:
        """Who has approved a version, by the tag `mlops.approved_by`; empty where it was by the alias `approved`, which
        names nobody and is enough only where `approvers` does not name some.

        Raises:
            RegistryError: nobody has, with how to; or somebody who is no approver.
        """
        return require_approval(self.server, version, environment, approvers)

    def local_path(self, version: ModelVersion) -> Path:
        """The MLflow model directory of a version, on this machine."""
        return self.files.local_path(version)

    def text(self, version: ModelVersion, file: str) -> str | None:
        """A text file of a version's run; None if the run has no such file."""
        return self.files.text(version, file)

    def url(self, version: ModelVersion) -> str:
        """The address of a version's run in the MLflow UI: the server's, or that of `make ui` for a local store."""
        return self.server.url(version)

    def metrics(self, version: ModelVersion) -> Mapping[str, float]:
        """The metrics of a version's run."""
        return dict(self.client.get_run(version.run_id).data.metrics)
