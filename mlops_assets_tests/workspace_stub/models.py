"""Unity Catalog's register of models, as MLflow's client asks it: names of three levels, versions whose files the
client uploads, aliases, and tags within Unity Catalog's limits. A search answers neither tags nor aliases, as there.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from mlflow.protos import databricks_uc_registry_messages_pb2 as messages
from mlflow.utils.proto_json_utils import message_to_json, parse_dict

from mlops_assets_tests.workspace_stub.http import Call, Refused, Reply, Routes

BASE = "/api/2.0/mlflow/unity-catalog"
RESERVED = re.compile(r"[.,\-=/:]")
MOST_TAGS, LONGEST_VALUE = 50, 1000


@dataclass
class Registered:
    """A registered model: its versions by number, its aliases."""

    shown: Any
    versions: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


class UnityModels:
    """The registered models; a version's files lie below `root`/Models."""

    def __init__(self, root: Path, schemas: Callable[[str], bool]) -> None:
        self.root, self.schemas = root, schemas
        self.models: dict[str, Registered] = {}

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        models, versions = f"{BASE}/registered-models", f"{BASE}/model-versions"
        return {
            f"GET {models}:is-databricks-sdk-models-artifact-repository-enabled": lambda _: {
                "is_databricks_sdk_models_artifact_repository_enabled": True
            },
            f"POST {models}/create": _on("CreateRegisteredModel", self.create),
            f"GET {models}/get": _on("GetRegisteredModel", self.get),
            f"POST {models}/alias": _on("SetRegisteredModelAlias", self.set_alias),
            f"DELETE {models}/alias": _on("DeleteRegisteredModelAlias", self.delete_alias),
            f"GET {models}/alias": _on("GetModelVersionByAlias", self.by_alias),
            f"POST {versions}/create": _on("CreateModelVersion", self.create_version),
            f"POST {versions}/finalize": _on("FinalizeModelVersion", self.finalize),
            f"GET {versions}/get": _on("GetModelVersion", self.get_version),
            f"GET {versions}/search": _on("SearchModelVersions", self.search),
            f"POST {versions}/set-tag": _on("SetModelVersionTag", self.set_tag),
            f"DELETE {versions}/delete-tag": _on("DeleteModelVersionTag", self.delete_tag),
            f"GET {versions}/get-download-uri": _on("GetModelVersionDownloadUri", self.download_uri),
            f"POST {versions}/emit-lineage": lambda _: {},
        }

    def create(self, asked: Any) -> Any:
        """A new registered model; its schema has to be there."""
        if asked.name.count(".") != 2:
            told = f"'{asked.name}' is not a valid name: specify all three levels (catalog.schema.model)"
            raise Refused(400, "INVALID_PARAMETER_VALUE", told)
        if not self.schemas(asked.name.rpartition(".")[0]):
            raise Refused(404, "NOT_FOUND", f"Schema '{asked.name.rpartition('.')[0]}' does not exist.")
        if asked.name in self.models:
            raise Refused(409, "RESOURCE_ALREADY_EXISTS", f"Registered model {asked.name} already exists.")
        shown = messages.RegisteredModel(name=asked.name, description=asked.description, creation_timestamp=_now())
        self.models[asked.name] = Registered(shown)
        return messages.CreateRegisteredModelResponse(registered_model=shown)

    def get(self, asked: Any) -> Any:
        """One registered model with its aliases."""
        found = self._model(asked.name)
        del found.shown.aliases[:]
        for alias, version in found.aliases.items():
            found.shown.aliases.add(alias=alias, version=version)
        return messages.GetRegisteredModelResponse(registered_model=found.shown)

    def set_alias(self, asked: Any) -> Any:
        """The alias moves to a version."""
        self._version(asked.name, asked.version)
        self._model(asked.name).aliases[asked.alias] = asked.version
        return messages.SetRegisteredModelAliasResponse()

    def delete_alias(self, asked: Any) -> Any:
        """The alias is nowhere."""
        self._model(asked.name).aliases.pop(asked.alias, None)
        return messages.DeleteRegisteredModelAliasResponse()

    def by_alias(self, asked: Any) -> Any:
        """The version that has an alias."""
        number = self._model(asked.name).aliases.get(asked.alias, "")
        return messages.GetModelVersionByAliasResponse(model_version=self._version(asked.name, number))

    def create_version(self, asked: Any) -> Any:
        """The next version, whose files are still to come."""
        found = self._model(asked.name)
        made = messages.ModelVersion(
            name=asked.name,
            version=str(len(found.versions) + 1),
            source=asked.source,
            run_id=asked.run_id,
            model_id=asked.model_id,
            description=asked.description,
            creation_timestamp=_now(),
            status=messages.PENDING_REGISTRATION,
            storage_location=f"s3://managed/{asked.name}",
        )
        for tag in asked.tags:
            _tag(made, tag.key, tag.value)
        found.versions[made.version] = made
        return messages.CreateModelVersionResponse(model_version=made)

    def finalize(self, asked: Any) -> Any:
        """The version is ready where its files have arrived."""
        made = self._version(asked.name, asked.version)
        if not (self.folder(asked.name, asked.version) / "MLmodel").is_file():
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"{asked.name}/{asked.version} has no MLmodel file.")
        made.status = messages.READY
        return messages.FinalizeModelVersionResponse(model_version=made)

    def get_version(self, asked: Any) -> Any:
        """One version with its tags and aliases."""
        made = self._version(asked.name, asked.version)
        del made.aliases[:]
        for alias, version in self._model(asked.name).aliases.items():
            if version == made.version:
                made.aliases.add(alias=alias, version=version)
        return messages.GetModelVersionResponse(model_version=made)

    def search(self, asked: Any) -> Any:
        """The versions of one model, two a page."""
        found = re.fullmatch(r"name\s*=\s*'([^']+)'", asked.filter)
        if found is None:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"this stand-in knows no filter {asked.filter}")
        versions, start = list(self._model(found[1]).versions.values()), int(asked.page_token or 0)
        page = messages.SearchModelVersionsResponse()
        for version in versions[start : start + 2]:
            page.model_versions.add().CopyFrom(version)
            del page.model_versions[-1].tags[:]
        if start + 2 < len(versions):
            page.next_page_token = str(start + 2)
        return page

    def set_tag(self, asked: Any) -> Any:
        """A tag of a version."""
        _tag(self._version(asked.name, asked.version), asked.key, asked.value)
        return messages.SetModelVersionTagResponse()

    def delete_tag(self, asked: Any) -> Any:
        """One tag fewer."""
        made = self._version(asked.name, asked.version)
        kept = [tag for tag in made.tags if tag.key != asked.key]
        del made.tags[:]
        made.tags.extend(kept)
        return messages.DeleteModelVersionTagResponse()

    def download_uri(self, asked: Any) -> Any:
        """Where the files are in the cloud, which nobody reads without credentials for it."""
        made = self._version(asked.name, asked.version)
        return messages.GetModelVersionDownloadUriResponse(artifact_uri=made.storage_location)

    def folder(self, name: str, version: str) -> Path:
        """Where a version's files lie."""
        return self.root / "Models" / name.replace(".", "/") / version

    def _model(self, name: str) -> Registered:
        if name not in self.models:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Registered model '{name}' does not exist.")
        return self.models[name]

    def _version(self, name: str, version: str) -> Any:
        found = self._model(name).versions
        if version not in found:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Model version {name}/{version} does not exist.")
        return found[version]


def _on(method: str, answer: Callable[[Any], Any]) -> Callable[[Call], Reply]:
    """An answer to a request that MLflow's own message class parses."""

    def answered(call: Call) -> Reply:
        asked = getattr(messages, f"{method}Request")()
        content: Mapping[str, Any] = call.body or call.query
        try:
            parse_dict(dict(content), asked)
        except ParseError as error:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"{method}: {error}") from None
        return Reply(message_to_json(answer(asked)).encode())

    return answered


def _tag(version: Any, key: str, value: str) -> None:
    if RESERVED.search(key):
        told = f"Tag name {key} contains one or more of the reserved characters: List(., ,, -, =, /, :)"
        raise Refused(400, "INVALID_PARAMETER_VALUE", told)
    if len(value) > LONGEST_VALUE or value != value.strip():
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"Tag {key} has a value of over {LONGEST_VALUE} characters.")
    for tag in version.tags:
        if tag.key == key:
            tag.value = value
            return
    if len(version.tags) >= MOST_TAGS:
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"An object has {MOST_TAGS} tags at most.")
    version.tags.add(key=key, value=value)


def _now() -> int:
    return int(time.time() * 1000)
