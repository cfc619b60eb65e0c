"""The endpoints of one gateway and their records on disk."""

from dataclasses import dataclass, field
from uuid import uuid4

from mlops_assets.serving.gateway.changes import Changes, now
from mlops_assets.serving.gateway.endpoint_state import (
    Endpoint,
    EndpointExistsError,
    UnknownEndpointError,
    UpdateInProgressError,
)
from mlops_assets.serving.gateway.files import GatewayHome
from mlops_assets.serving.gateway.logs import last_lines
from mlops_assets.serving.protocol import (
    CreateEndpoint,
    EndpointConfig,
    EndpointRecord,
    PatchTags,
    Settings,
    UpdateConfig,
)

LOG_BYTES = 64 << 10


@dataclass
class Fleet:
    """All endpoints of one home."""

    home: GatewayHome
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    changes: Changes = field(init=False)

    def __post_init__(self) -> None:
        self.changes = Changes(self.home)

    def restore(self) -> None:
        """Read the records of `home` and begin to serve what they say was deployed."""
        for file in sorted(self.home.endpoints.glob("*.json")):
            endpoint = Endpoint(EndpointRecord.model_validate_json(file.read_text(encoding="utf-8")))
            self.endpoints[endpoint.record.name] = endpoint
            self.changes.resume(endpoint)

    def get(self, name: str) -> Endpoint:
        """The endpoint called `name`. Raises UnknownEndpointError."""
        if name not in self.endpoints:
            raise UnknownEndpointError(f"The endpoint '{name}' does not exist.")
        return self.endpoints[name]

    def create(self, body: CreateEndpoint) -> Endpoint:
        """A new endpoint, not ready yet. Raises EndpointExistsError."""
        if body.name in self.endpoints:
            raise EndpointExistsError(f"The endpoint '{body.name}' exists already: change its config instead.")
        created = now()
        record = EndpointRecord(
            name=body.name,
            id=uuid4().hex,
            creation_timestamp=created,
            last_updated_timestamp=created,
            settings=Settings.model_validate(body.model_dump(include=set(Settings.model_fields))),
            tags=body.tags,
        )
        endpoint = self.endpoints[body.name] = Endpoint(record)
        self.changes.begin(endpoint, body.config, record.settings)
        return endpoint

    def update(self, name: str, body: UpdateConfig) -> Endpoint:
        """Replace an endpoint's config; what it serves stays, with its settings, until the new workers are ready.

        Raises UnknownEndpointError or UpdateInProgressError.
        """
        endpoint = self.get(name)
        if endpoint.record.config_update == "IN_PROGRESS":
            raise UpdateInProgressError(f"The endpoint '{name}' is being updated: wait until that has ended.")
        changed = body.model_dump(include=set(Settings.model_fields), exclude_unset=True)
        settings = endpoint.record.settings.model_copy(update=changed)
        config = EndpointConfig.model_validate(body.model_dump(include=set(EndpointConfig.model_fields)))
        self.changes.begin(endpoint, config, settings)
        return endpoint

    def patch_tags(self, name: str, body: PatchTags) -> Endpoint:
        """Add, replace and delete tags. Raises UnknownEndpointError."""
        endpoint = self.get(name)
        replaced = {*body.delete_tags, *(tag.key for tag in body.add_tags)}
        remaining = [tag for tag in endpoint.record.tags if tag.key not in replaced]
        endpoint.record.tags = (*remaining, *body.add_tags)
        self.changes.save(endpoint)
        return endpoint

    def delete(self, name: str) -> None:
        """Forget an endpoint; requests under way are still answered. Raises UnknownEndpointError."""
        endpoint = self.get(name)
        del self.endpoints[name]
        (self.home.endpoints / f"{name}.json").unlink(missing_ok=True)
        self.changes.end(endpoint)

    def logs(self, name: str, served: str) -> str:
        """The last lines that the processes behind a served model printed, also where it did not come up.

        Raises UnknownEndpointError where there is no such endpoint, or nothing has ever been started for such a model.
        """
        self.get(name)
        file = self.home.worker_logs / f"{served}.log"
        if file.name not in {each.name for each in self.home.worker_logs.glob("*.log")}:
            raise UnknownEndpointError(f"The endpoint '{name}' has no log of a '{served}'.")
        return last_lines(file, LOG_BYTES)

    async def close(self) -> None:
        """End every change and every worker; the records stay."""
        await self.changes.close(self.endpoints.values())
