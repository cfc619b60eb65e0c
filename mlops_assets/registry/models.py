"""MLflow as the register of models: a run and a version per training, aliases for what serves.

Every fact that a later step needs is a tag of the version, so that nothing but the registry has to be asked.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlops_assets.loading import no_garbage
from mlops_assets.registry import unity
from mlops_assets.registry.record import Training, record
from mlops_assets.registry.unity import UnityModels
from mlops_assets.registry.version import APPROVED, CHALLENGER, CHAMPION, REFUSED, ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

MISSING = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
MOST_REIGNS = 20  # fit in a tag of Unity Catalog
ARTIFACTS = "mlartifacts"  # the folder of model files below MLOPS_HOME
LOCAL_UI = "http://127.0.0.1:5000"


class RegistryError(Exception):
    """The registry holds no such model, version or alias."""


class ModelRegistry:
    """The models of one MLflow tracking server; MLflow is imported when it is first asked (seconds)."""

    def __init__(
        self,
        tracking_uri: str,
        artifacts: Path | None,
        registry_uri: str | None = None,
        unity: UnityModels | None = None,
    ) -> None:
        """Connect nothing yet; `artifacts` is the folder of new experiments' files, None where the server chooses. The
        register of models is elsewhere than the runs where `registry_uri` says so (`databricks-uc`, with `unity`).
        """
        self.tracking_uri, self.artifacts = tracking_uri, artifacts
        self.registry_uri, self.unity = registry_uri or tracking_uri, unity

    @classmethod
    def below(cls, home: Path) -> Self:
        """MLflow on sqlite in `home`."""
        return cls(f"sqlite:///{home / 'mlflow.db'}", home / ARTIFACTS)

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client, quiet and without telemetry."""
        import logging

        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # A uv.lock in the working directory would become the model's requirements.
        os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
        os.environ.setdefault("MLFLOW_LOG_UV_FILES", "false")
        if self.artifacts:
            self.artifacts.mkdir(parents=True, exist_ok=True)
        with no_garbage():
            import mlflow

            for noisy in ("alembic", "mlflow.store.db.utils"):
                logging.getLogger(noisy).setLevel(logging.WARNING)
            self._point_mlflow_here()
            return mlflow.MlflowClient()

    def log(self, name: str, experiment: str, run_name: str, training: Training) -> ModelVersion:
        """Record a training as one MLflow run and register its model as the next version of `name`."""
        client, name = self.client, self._full(name)
        self._point_mlflow_here()
        run_id, info = record(training, self._experiment(experiment), run_name)
        self._register(name)
        tags = {**training.tags, f"{unity.PREFIX}model_id": info.model_id}
        found = client.create_model_version(
            name,
            source=info.model_uri,
            run_id=run_id,
            tags=unity.logged_tags(tags) if self.unity else tags,
            model_id=info.model_id if self.unity else None,  # without it Unity Catalog cannot copy the version
        )
        version = self._read(found)
        client.set_registered_model_alias(name, CHALLENGER, version.version)
        return version

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, oldest first; empty where there is no such model."""
        if self._registered(name) is None:
            return []
        return sorted(map(self._read, self._found(name)), key=lambda version: version.number)

    def version(self, name: str, which: str) -> ModelVersion:
        """A version by number or alias, or `latest`.

        Raises:
            RegistryError: there is none, with those there are.
        """
        known = self.versions(name)
        aliases = self._aliases(name)
        wanted = known[-1].version if which == "latest" and known else str(aliases.get(which, which))
        for version in known:
            if version.version == wanted:
                return version
        there = ", ".join([*(version.version for version in known), *aliases]) or "none: run its pipeline first"
        raise RegistryError(f"model '{name}' has no version or alias '{which}'; there are {there}")

    def latest_passed(self, name: str) -> ModelVersion:
        """The newest version that its gate let through.

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
        """The version with the alias `champion`, None where there is none yet."""
        return self.version(name, CHAMPION) if CHAMPION in self._aliases(name) else None

    def champion_at(self, name: str, moment: datetime) -> ModelVersion | None:
        """The version that was champion at a moment, None where none was yet."""
        reigns = [reign for reign in self._reigns(name) if reign[0] <= moment]
        return reigns[-1][1] if reigns else None

    def first_champion(self, name: str) -> ModelVersion:
        """The first version that was ever champion.

        Raises:
            RegistryError: none was.
        """
        reigns = self._reigns(name)
        return reigns[0][1] if reigns else self.require_champion(name)

    def _reigns(self, name: str) -> list[tuple[datetime, ModelVersion]]:
        """Who became champion when, in the order of time."""
        found = [(since, each) for each in self.versions(name) for since in each.champion_since]
        return sorted(found, key=lambda reign: reign[0])

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

    def baseline(self, name: str, run_id: str | None = None) -> ModelVersion:
        """The version of an MLflow run, else the first that was ever champion.

        Raises:
            RegistryError: there is none.
        """
        known = self.versions(name)
        found = [version for version in known if (version.run_id == run_id if run_id else version.promoted)]
        if not found:
            what = f"version from run '{run_id}'" if run_id else "version that was ever deployed"
            raise RegistryError(f"model '{name}' has no {what}")
        return found[0]

    def before(self, version: ModelVersion) -> ModelVersion:
        """The version that was champion before a version was.

        Raises:
            RegistryError: none was.
        """
        older = [each for each in self.versions(version.name) if each.promoted and each.number < version.number]
        if not older:
            raise RegistryError(f"no version of '{version.name}' older than {version.version} was ever champion")
        return older[-1]

    def withdraw(self, version: ModelVersion, reason: str) -> None:
        """Make a version one that its gate did not let through, so that no deployment takes it up again."""
        self.tag(version, gate=REFUSED, decision=reason)

    def with_tag(self, name: str, tag: str, value: str) -> ModelVersion | None:
        """The newest version whose tag has this value."""
        found = [version for version in self.versions(name) if version.tag(tag) == value]
        return found[-1] if found else None

    def name_in(self, environment: str, name: str) -> str:
        """What a model is called in an environment: the same where environments have no schema of their own."""
        return self.unity.name_in(name, environment) if self.unity else name

    def copied(self, version: ModelVersion, name: str) -> ModelVersion:
        """The copy of a version as a version of another registered model; the one there is already, where there is,
        and the version itself where the name is its own.
        """
        name = self._full(name)
        if name == version.name:
            return version
        for known in self.versions(name):
            if known.run_id == version.run_id:
                return known
        self._point_mlflow_here()
        made = self.client.copy_model_version(f"models:/{version.name}/{version.version}", name)
        return self.version(name, str(made.version))

    def promote(self, version: ModelVersion) -> None:
        """Move the alias `champion` to a version; the first time and the last MOST_REIGNS times it happens are kept."""
        now, reigns = datetime.now(UTC).isoformat(), version.tag("champion_since").split()
        if not version.promoted:
            self.tag(version, promoted_at=now)
        self.tag(version, champion_since=" ".join([*reigns, now][-MOST_REIGNS:]))
        self.client.set_registered_model_alias(version.name, CHAMPION, version.version)

    def require_approval(self, version: ModelVersion, environment: str, approvers: Sequence[str] = ()) -> str:
        """Who has approved a version, by the tag `mlops.approved_by`; empty where it was by the alias `approved`, which
        names nobody and is enough only where `approvers` does not name some.

        Raises:
            RegistryError: nobody has, with how to; or somebody who is no approver.
        """
        by = version.tag("approved_by")
        if by and approvers and by not in approvers:
            raise RegistryError(
                f"version {version.version} of '{version.name}' was approved for {environment} by {by}, who is none of "
                f"{', '.join(approvers)}"
            )
        if by or (not approvers and str(self._aliases(version.name).get(APPROVED)) == version.version):
            return by
        tag = unity.tag_name("approved_by") if self.unity else f"{unity.PREFIX}approved_by"
        client = f"MlflowClient(registry_uri='{self.registry_uri}')"
        if approvers:
            how = f"the tag '{tag}' on it to {' or '.join(approvers)}"
            call = f"{client}.set_model_version_tag('{version.name}', '{version.version}', '{tag}', …)"
        else:
            how = f"the alias '{APPROVED}' or the tag '{tag}' on it"
            call = f"{client}.set_registered_model_alias('{version.name}', '{APPROVED}', '{version.version}')"
        raise RegistryError(
            f"version {version.version} of '{version.name}' waits for a person's approval for {environment}: set "
            f"{how}, in MLflow's UI ({self.url(version)}) or with {call}; the approval sensor then goes on, or run "
            "this asset again"
        )

    def tag(self, version: ModelVersion, **tags: str) -> None:
        """Write tags of this package on a version."""
        for name, value in tags.items():
            key = unity.tag_name(name) if self.unity else unity.PREFIX + name
            told = value.strip()[: unity.LONGEST] if self.unity else value
            self.client.set_model_version_tag(version.name, version.version, key, told)

    def local_path(self, version: ModelVersion) -> Path:
        """The MLflow model directory of a version, on this machine."""
        import mlflow

        if self.unity:
            return self._downloaded(version)
        uri = self.client.get_model_version_download_uri(version.name, version.version)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, tracking_uri=self.tracking_uri))

    def _downloaded(self, version: ModelVersion) -> Path:
        """A version's files from Unity Catalog, fetched once; they are gone with this registry."""
        import mlflow

        folder = Path(self._downloads.name) / version.name / version.version
        if not (folder / "MLmodel").is_file():
            self._point_mlflow_here()
            folder.mkdir(parents=True, exist_ok=True)
            mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(folder))
        return folder

    @cached_property
    def _downloads(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="mlops_models_")

    def text(self, version: ModelVersion, file: str) -> str | None:
        """A text file of the run that made a version, None where the run has no such file."""
        import mlflow

        if file not in {each.path for each in self.client.list_artifacts(version.run_id)}:
            return None
        uri = f"runs:/{version.run_id}/{file}"
        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(uri, dst_path=folder, tracking_uri=self.tracking_uri)
            return Path(path).read_text()

    def metrics(self, version: ModelVersion) -> Mapping[str, float]:
        """What the run that made a version measured."""
        return dict(self.client.get_run(version.run_id).data.metrics)

    def url(self, version: ModelVersion) -> str:
        """Where the MLflow UI shows the run that made a version: the server's, or for a file that of `make ui`."""
        page = f"experiments/{self.client.get_run(version.run_id).info.experiment_id}/runs/{version.run_id}"
        if self.tracking_uri.startswith("databricks"):
            from mlflow.utils.databricks_utils import get_databricks_host_creds

            host = get_databricks_host_creds(self.tracking_uri).host  # type: ignore[no-untyped-call]
            return f"{host.rstrip('/')}/ml/{page}"
        server = self.tracking_uri if self.tracking_uri.startswith("http") else LOCAL_UI
        # Who asks the server, user and password, is nobody else's to read.
        return f"{re.sub('//[^/]*@', '//', server).rstrip('/')}/#/{page}"

    def _point_mlflow_here(self) -> None:
        """MLflow has one address for the whole process, and another registry may have set its own since."""
        import mlflow

        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)

    def _experiment(self, name: str) -> str:
        name = self.unity.experiment(name) if self.unity else name
        found = self.client.get_experiment_by_name(name)
        location = self.artifacts.as_uri() if self.artifacts else None
        return found.experiment_id if found else self.client.create_experiment(name, artifact_location=location)

    def _register(self, name: str) -> None:
        if self._registered(name) is None:
            self.client.create_registered_model(name)

    def _registered(self, name: str) -> Any:
        """The registered model, None where there is none. Unity Catalog knows no search by name."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_registered_model(self._full(name))
        except MlflowException as error:
            if error.error_code in MISSING:
                return None
            raise

    def _aliases(self, name: str) -> Mapping[str, Any]:
        found = self._registered(name)
        return dict(found.aliases) if found else {}

    def _full(self, name: str) -> str:
        return self.unity.name(name) if self.unity else name

    def _found(self, name: str) -> Iterator[Any]:
        """MLflow's versions of a model. Unity Catalog's search leaves tags out: each is asked for."""
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{self._full(name)}'", page_token=token)
            for each in page:
                yield self.client.get_model_version(each.name, each.version) if self.unity else each
            token = page.token
            if not token:
                return

    def _read(self, found: Any) -> ModelVersion:
        tags = dict(found.tags)
        if self.unity:
            tags = unity.read_tags(tags)
            if unity.ON_THE_RUN in tags.values():
                whole = self.client.get_run(found.run_id).data.tags
                tags = {name: whole[name] if tags[name] == unity.ON_THE_RUN else tags[name] for name in tags}
        return ModelVersion(found.name, str(found.version), found.run_id, tags)
