"""Step results as Dagster events: metadata values, check results, materializations."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from mlops_assets.assets.keys import Materialized
from mlops_assets.config import Project
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.result import Check, MetadataValue, StepResult
from mlops_assets.steps.unity import with_catalog_name
from mlops_assets.unity_tables import UnityError


def metadata_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with every MetadataValue as Dagster's type."""
    return {name: dagster_value(value) if isinstance(value, MetadataValue) else value for name, value in values.items()}


def dagster_value(value: MetadataValue) -> Any:
    """Dagster's type for a schema, Markdown, URL or JSON value."""
    if value.kind == "table_schema":
        columns = [
            dg.TableColumn(each["name"], each["type"], constraints=dg.TableColumnConstraints(**each["constraints"]))
            for each in value.value["columns"]
        ]
        return dg.TableSchema(columns=columns)
    return {"md": dg.MetadataValue.md, "url": dg.MetadataValue.url, "json": dg.MetadataValue.json}[value.kind](
        value.value
    )


def check_result(asset: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """A step's check as Dagster's check result."""
    return dg.AssetCheckResult(
        passed=check.passed,
        asset_key=asset,
        check_name=check.name,
        severity=dg.AssetCheckSeverity.WARN if check.warns else dg.AssetCheckSeverity.ERROR,
        description=check.description,
        metadata=metadata_of(check.metadata),
    )


def blocked(asset: dg.AssetKey, result: StepResult) -> dg.Failure:
    """The failure of a step that wrote nothing because its rows must not go downstream."""
    return dg.Failure(
        f"{asset.to_user_string()}: nothing was written, and nothing downstream runs: {'; '.join(result.blocked)}",
        metadata={"reasons": list(result.blocked)},
        allow_retries=False,
    )


def dagster_events(
    context: dg.AssetExecutionContext, project: Project, asset: dg.AssetKey, lake: Warehouse, step: StepResult
) -> Iterator[Materialized | dg.AssetCheckResult]:
    """The events that an asset yields for a step's result, after its tables are registered in the platform's catalog.

    Raises:
        dagster.Failure: the step is blocked (its checks are yielded first), or the catalog refused a table.
    """
    try:
        result = with_catalog_name(project, asset.path[1:], step, lake)
    except UnityError as error:
        raise dg.Failure(str(error)) from error
    checks = [check_result(asset, check) for check in result.checks]
    if result.blocked:
        yield from checks
        raise blocked(asset, result)
    if result.log:
        context.log.info("%s", result.log)
    yield dg.MaterializeResult(metadata=metadata_of(result.metadata), check_results=checks)
