"""Between this package's endpoint specifications and the SDK's dataclasses."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, ServedVersion

if TYPE_CHECKING:
    from databricks.sdk.service.serving import (
        AiGatewayConfig,
        AiGatewayInferenceTableConfig,
        AiGatewayRateLimit,
        EndpointCoreConfigInput,
        EndpointTag,
        ServingEndpointAccessControlRequest,
        ServingEndpointDetailed,
    )

    from mlops_assets.serving.databricks.endpoints import EndpointOptions

_APPLICATION_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
COMPARED = ("name", "entity_name", "entity_version", "workload_size", "workload_type", "scale_to_zero_enabled")


def config(spec: EndpointSpec) -> "EndpointCoreConfigInput":
    """What the endpoint serves; entities and traffic as Databricks wants them."""
    from databricks.sdk.service.serving import (
        EndpointCoreConfigInput,
        Route,
        ServedEntityInput,
        ServingModelWorkloadType,
        TrafficConfig,
    )

    wanted = spec.config
    entities = [
        ServedEntityInput(
            name=entity.name,
            entity_name=entity.entity_name,
            entity_version=entity.entity_version,
            environment_vars=dict(entity.environment_vars) or None,
            workload_size=_size(entity.threads),
            workload_type=ServingModelWorkloadType(entity.workload_type),
            scale_to_zero_enabled=entity.min_replicas == 0,
        )
        for entity in wanted.served_entities
    ]
    routes = [Route(served_model_name=name, traffic_percentage=share) for name, share in wanted.shares.items()]
    return EndpointCoreConfigInput(served_entities=entities, traffic_config=TrafficConfig(routes=routes))


def _size(scale: int) -> str:
    """Databricks' size with room for `scale` requests at a time: 4, 16 or 64."""
    return next((name for name, most in (("Small", 4), ("Medium", 16)) if scale <= most), "Large")


def tags(wanted: Mapping[str, str]) -> "list[EndpointTag]":
    """Tags as the SDK has them."""
    from databricks.sdk.service.serving import EndpointTag

    return [EndpointTag(key=key, value=value) for key, value in wanted.items()]


def ai_gateway(
    spec: EndpointSpec, options: "EndpointOptions", present: "AiGatewayConfig | None" = None
) -> "AiGatewayConfig | None":
    """The endpoint's rate limit and inference table as they are asked for, all else as it is at `present`; None where
    nothing is asked for or there.
    """
    from databricks.sdk.service.serving import AiGatewayConfig, AiGatewayRateLimitKey

    made = replace(present) if present else AiGatewayConfig()
    others = [limit for limit in made.rate_limits or () if limit.key != AiGatewayRateLimitKey.ENDPOINT]
    limits = [*others, *_rate_limit(spec)]
    if limits or made.rate_limits:
        made.rate_limits = limits
    if options.inference_schema:
        made.inference_table_config = _inference_table(spec.name, options.inference_schema)
    elif options.inference_schema is not None and made.inference_table_config:
        made.inference_table_config = replace(made.inference_table_config, enabled=False)
    return made if present or made != AiGatewayConfig() else None


def _rate_limit(spec: EndpointSpec) -> "list[AiGatewayRateLimit]":
    from databricks.sdk.service.serving import (
        AiGatewayRateLimit,
        AiGatewayRateLimitKey,
        AiGatewayRateLimitRenewalPeriod,
    )

    if spec.requests_per_minute is None:
        return []
    minute, whole = AiGatewayRateLimitRenewalPeriod.MINUTE, AiGatewayRateLimitKey.ENDPOINT
    return [AiGatewayRateLimit(minute, spec.requests_per_minute, whole)]


def _inference_table(endpoint: str, place: str) -> "AiGatewayInferenceTableConfig":
    from databricks.sdk.service.serving import AiGatewayInferenceTableConfig

    catalog, schema = place.split(".")
    return AiGatewayInferenceTableConfig(catalog, True, schema, endpoint.replace("-", "_"))


def permissions(wanted: Mapping[str, str], deployer: str) -> "list[ServingEndpointAccessControlRequest]":
    """One entry a principal: an e-mail, `group:<name>` or `service_principal:<application id>`.

    They replace what is there, so the one who asks for it keeps CAN_MANAGE: the endpoint could not be changed again.
    """
    from databricks.sdk.service.serving import ServingEndpointAccessControlRequest, ServingEndpointPermissionLevel

    me = f"service_principal:{deployer}" if _APPLICATION_ID.fullmatch(deployer) else deployer
    others = {each: level for each, level in wanted.items() if each.lower() != me.lower()}
    made = []
    for principal, level in {**others, me: "CAN_MANAGE"}.items():
        kind, _, name = principal.rpartition(":")
        field = {"group": "group_name", "service_principal": "service_principal_name"}.get(kind, "user_name")
        allowed = ServingEndpointPermissionLevel(level)
        made.append(ServingEndpointAccessControlRequest(permission_level=allowed, **{field: name}))
    return made


def status(found: "ServingEndpointDetailed") -> EndpointStatus:
    """The endpoint's state in this package's words."""
    served = found.config.served_entities if found.config else None
    shares = _shares(found.config)
    return EndpointStatus(
        name=str(found.name),
        ready=bool(found.state and found.state.ready and found.state.ready.value == "READY"),
        config_update=_update(found),
        message="; ".join(problems(found).values()),
        served=tuple(
            ServedVersion(
                name=str(entity.name),
                model_name=str(entity.entity_name),
                version=str(entity.entity_version),
                traffic_percentage=shares.get(str(entity.name), 0),
            )
            for entity in served or ()
        ),
        tags={str(tag.key): tag.value or "" for tag in found.tags or ()},
    )


def changing(found: "ServingEndpointDetailed") -> bool:
    """Whether a change is under way."""
    return bool(_update(found) == "IN_PROGRESS")


def failed(found: "ServingEndpointDetailed") -> bool:
    """Whether the last change did not come through."""
    return _update(found) in ("UPDATE_FAILED", "UPDATE_CANCELED")


def problems(found: "ServingEndpointDetailed") -> dict[str, str]:
    """Why each served entity of a failed change did not come up, by its name; empty where none failed."""
    if not failed(found) or found.pending_config is None:
        return {}
    return {
        str(entity.name): entity.state.deployment_state_message or "no reason given"
        for entity in found.pending_config.served_entities or ()
        if entity.state and entity.state.deployment and entity.state.deployment.value.endswith("FAILED")
    }


def serves(current: Any, wanted: "EndpointCoreConfigInput") -> bool:
    """Whether a config that the endpoint has is the one that is wanted; values Databricks hides count as equal."""
    if current is None:
        return False
    have, want = current.served_entities or [], wanted.served_entities or []
    if len(have) != len(want) or _shares(current) != _shares(wanted):
        return False
    return all(
        all(_plain(getattr(one, name)) == _plain(getattr(other, name)) for name in COMPARED)
        and (one.environment_vars or {}) == (other.environment_vars or {})
        for one, other in zip(have, want, strict=True)
    )


def _update(found: "ServingEndpointDetailed") -> Any:
    state = found.state.config_update if found.state else None
    return state.value if state else "NOT_UPDATING"


def _shares(config: Any) -> dict[str, int]:
    routes = config.traffic_config.routes if config and config.traffic_config else None
    return {
        str(route.served_model_name or getattr(route, "served_entity_name", "")): int(route.traffic_percentage)
        for route in routes or ()
    }


def _plain(value: Any) -> Any:
    """An enum's value: names of enums differ between the SDK's versions."""
    return getattr(value, "value", value)
