"""Alerts as an asset: each alarm, and its recovery, is sent once to every channel.

A channel that is down does not fail the asset: the check `delivered` names it, and the next run tries again.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.gate_record import refusals_in_a_row
from mlops_assets.assets.keys import Materialized, model_key, monitoring_key, shared
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.alert_channels import Channel
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.alert_log import announce
from mlops_assets.monitoring.alert_table import FAILED, PENDING, SENT, Entry
from mlops_assets.monitoring.alerts import Standing, standing
from mlops_assets.monitoring.channels import by_recipient, channel_name
from mlops_assets.monitoring.delivery import Delivery, deliver
from mlops_assets.monitoring.message import Message
from mlops_assets.monitoring.quality import read_quality
from mlops_assets.monitoring.track import read_tracked
from mlops_assets.monitoring.watch import history
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.steps.metadata import markdown_table
from mlops_assets.steps.monitoring_tables import (
    clock,
    drift_tables,
    page_file,
    page_link,
    performance_table,
    quality_table,
    watches_quality,
)
from mlops_assets.steps.result import Check, StepResult

DELIVERED = "delivered"
SHOWN = 20


def alerts_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One row per alert and channel, and the messages themselves."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, "alerts")
    chosen_fields = launch_config("alerts", document.config, ["min_sample", "consecutive_windows"])

    @dg.asset(
        key=key,
        deps=[
            monitoring_key(project, what)
            for what in ("drift", "performance", *(["quality"] if watches_quality(document.config) else []))
        ],
        check_specs=[
            dg.AssetCheckSpec(DELIVERED, asset=key, description="Every channel accepted the alerts that were due.")
        ],
        description="Alarms and recoveries, sent once to each channel of the document.",
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def alerts(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        gate = model_key(project, documents.training.name)
        chosen = with_launch_config(document.config, config)
        refused = refusals_in_a_row(context.instance, gate) if chosen.retraining.stop_after_refusals else 0
        with as_failure():
            now = _standing(project, documents, chosen, registry.require_champion(documents.model), lake, refused)
            at = datetime.now(UTC)
            log = _send_alerts(context, project, chosen, now, lake, at)
        result = StepResult(
            _metadata(lake.table(project.name, "monitoring", "alerts"), log, now, at),
            [_delivery_check(log, [channel_name(each) for each in _channels(chosen)])],
        )
        yield from dagster_events(context, project, key, lake, result)

    return alerts


def _send_alerts(
    context: dg.AssetExecutionContext,
    project: Project,
    config: MonitoringConfig,
    now: Standing,
    lake: Warehouse,
    at: datetime,
) -> Sequence[Entry]:
    """Send each channel the messages that are due; returns the log of alerts."""
    channels = {channel_name(each): each for each in _channels(config)}

    def send(name: str, message: Message) -> Delivery:
        result = deliver(channels[name], message, os.environ)
        context.log.info("%s: %s (%s)", name, message.title, result.error or "sent")
        return result

    return announce(
        lake.table(project.name, "monitoring", "alerts"),
        now,
        list(channels),
        send,
        at=at,
        window=config.alerting.aggregation_window if config.alerting else timedelta(0),
        page=page_link(project, lake, os.environ),
        lock=page_file(project, lake).with_name("alerts.lock"),
        details=config.alerting is None or config.alerting.include_details,
    )


def _standing(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    champion: ModelVersion,
    lake: Warehouse,
    refused: int,
) -> Standing:
    time = clock(project)
    watched = history(drift_tables(project, lake), champion.version, config, time)
    tracked = read_tracked(performance_table(project, config, lake), config, time)
    stop_after = config.retraining.stop_after_refusals
    own = quality_table(project, lake)
    quality = read_quality(own, champion.version, config.window, time) if watches_quality(config) else {}
    return standing(documents.model, watched, tracked, quality, refusals=refused, stop_after=stop_after)


def _channels(config: MonitoringConfig) -> Sequence[Channel]:
    return by_recipient(config.alerting.notification_channels) if config.alerting else []


def _delivery_check(log: Sequence[Entry], channels: Sequence[str]) -> Check:
    down = {entry.channel: entry.error for entry in log if entry.state == FAILED and entry.channel in channels}
    reason = "; ".join(f"{channel}: {error}" for channel, error in down.items())
    description = reason or (f"{len(channels)} channels" if channels else "no channel: alerts are recorded only")
    return Check(DELIVERED, not down, description, {"down": list(down)}, warns=True)


def _metadata(table: str, log: Sequence[Entry], now: Standing, at: datetime) -> dict[str, Any]:
    newest = [{**vars(entry), "reasons": "; ".join(entry.reasons)} for entry in log[-SHOWN:]]
    columns = ["raised_at", "kind", "window", "version", "monitor", "reasons", "channel", "state", "error"]
    states = [entry.state for entry in log]
    return {
        "in_alarm": now.alarmed,
        "sent": sum(entry.state == SENT and entry.changed_at == at for entry in log),
        "waiting": states.count(PENDING),
        "failed": states.count(FAILED),
        "alerts": markdown_table(reversed(newest), columns),
        "dagster/uri": table,
    }
