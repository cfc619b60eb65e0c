"""`python -m mlops_assets.serving predict|status|logs|rollback|delete|stop`: endpoints from a command line.

They are those of this home's gateway, or of a workspace where `--workspace` names one.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mlops_assets.registry import RegistryError
from mlops_assets.serving import gateway_process
from mlops_assets.serving.client.credentials import checked_url
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.gateway.files import GatewayHome, TokenFileError, home_from_environment, read_token
from mlops_assets.serving.rollback import roll_back

if TYPE_CHECKING:
    from mlops_assets.serving.client.tabular import TabularModelClient
    from mlops_assets.serving.databricks.endpoints import DatabricksEndpoints

NO_GATEWAY = "no gateway runs in {}; start it with python -m mlops_assets.serving.gateway."


@dataclass(frozen=True)
class Place:
    """Where the endpoints are: a workspace's address, or without one the gateway of a home."""

    home: GatewayHome
    workspace: str | None

    def client(self) -> "TabularModelClient":
        """A client of the place."""
        from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient

        if self.workspace:
            with _workspace():
                return TabularModelClient(self.workspace, EndpointCredentials(auth_type=AuthType.ENVIRONMENT))
        credentials = EndpointCredentials.model_validate({"token": read_token(self.home)})
        return TabularModelClient(self.gateway.url, credentials)

    @property
    def gateway(self) -> gateway_process.GatewayAddress:
        """The gateway of the home, if it runs."""
        address = gateway_process.address(self.home.root)
        if address is None:
            raise click.ClickException(NO_GATEWAY.format(self.home.root))
        return address

    def endpoints(self) -> "GatewayEndpoints | DatabricksEndpoints":
        """The endpoints of the place."""
        if self.workspace is None:
            return GatewayEndpoints(self.gateway.url, read_token(self.home))
        from databricks.sdk import WorkspaceClient

        from mlops_assets.serving.databricks.endpoints import DatabricksEndpoints

        with _workspace():
            return DatabricksEndpoints(WorkspaceClient(host=checked_url(self.workspace)))


@contextmanager
def as_click_exception() -> Iterator[None]:
    """A mistake of the place or the registry as one line and exit code 1."""
    try:
        yield
    except (ServingError, RegistryError, TokenFileError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _workspace() -> Iterator[None]:
    """What is no address, or no credentials for it, as a mistake of the option."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(f"--workspace: {str(error).split('. Config: ')[0]}") from None


@click.group()
@click.option("--home", type=click.Path(path_type=Path), help="Folder of state and token [MLOPS_HOME, .mlops].")
@click.option("--workspace", help="A Databricks workspace's address; its credentials are unified authentication's.")
@click.pass_context
def main(context: click.Context, home: Path | None, workspace: str | None) -> None:
    """Ask, look at, or roll back endpoints."""
    context.obj = Place(GatewayHome(home.resolve()) if home else home_from_environment(), workspace)


@main.command()
@click.argument("endpoint")
@click.argument("rows", type=click.File("rb"), default="-")
@click.pass_obj
def predict(place: Place, endpoint: str, rows: BinaryIO) -> None:
    """Predict ROWS (JSON: objects, in a list or one per line; - is standard input) with ENDPOINT."""
    import pandas as pd

    with as_click_exception():
        predictions = place.client().predict(endpoint, pd.DataFrame(_records(rows.read())))
    predictions.to_json(sys.stdout, orient="records", lines=True)


@main.command()
@click.pass_obj
def status(place: Place) -> None:
    """What is served, one endpoint a line."""
    if place.workspace is None:
        click.echo(f"{place.gateway.url} (pid {place.gateway.pid})")
    with as_click_exception(), place.endpoints() as endpoints:
        for found in endpoints.list():
            served = ", ".join(f"{each.model_name} {each.version} {each.traffic_percentage} %" for each in found.served)
            state = "ready" if found.ready else "not ready"
            click.echo(f"{found.name}: {state}, {found.config_update.lower()}: {served} {found.message}".rstrip(": "))


@main.command()
@click.argument("endpoint", required=False)
@click.option("--lines", type=click.IntRange(1), default=50, show_default=True, help="How many of the last lines.")
@click.pass_obj
def logs(place: Place, endpoint: str | None, lines: int) -> None:
    """What the processes behind ENDPOINT printed lately; without one, the whole gateway."""
    if endpoint is None and place.workspace is not None:
        raise click.UsageError("in a workspace, name the endpoint")
    found = _gateway_logs(place.home.log_file) if endpoint is None else _logs_of(place, endpoint)
    click.echo("\n".join(found[-lines:]))


@main.command()
@click.argument("endpoint")
@click.option("--to", "number", help="Version; the champion before the served one where not given.")
@click.pass_obj
def rollback(place: Place, endpoint: str, number: str | None) -> None:
    """Serve the version before at ENDPOINT, make it champion again, and keep deployments from the one that is left."""
    from mlops_assets.resources.platforms import embedded_registry

    if place.workspace is not None:
        raise click.UsageError("in a workspace, move the alias 'champion' back and run the deployment's asset")
    with as_click_exception(), GatewayEndpoints(place.gateway.url, read_token(place.home)) as endpoints:
        done = roll_back(endpoints, embedded_registry(place.home.root), endpoint, number)
    click.echo(f"{endpoint} serves version {done.back} again, instead of {done.left}.")
    if done.without_graph:
        click.echo("It was never converted to ONNX: scikit-learn serves it until its deployment runs again.")


@main.command()
@click.argument("endpoint")
@click.pass_obj
def delete(place: Place, endpoint: str) -> None:
    """Serve nothing at ENDPOINT any more: one that no document names, since it was renamed or left out, is kept."""
    with as_click_exception(), place.endpoints() as endpoints:
        endpoints.delete(endpoint)
    click.echo(f"{endpoint} is deleted.")


@main.command()
@click.pass_obj
def stop(place: Place) -> None:
    """Stop the gateway; what is deployed is served again when it starts."""
    stopped = gateway_process.stop(place.home.root)
    click.echo("Stopped." if stopped else f"No gateway runs in {place.home.root}.")


def _gateway_logs(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []


def _logs_of(place: Place, endpoint: str) -> list[str]:
    with as_click_exception(), place.endpoints() as endpoints:
        served = endpoints.get(endpoint).served
        return [line for each in served for line in endpoints.logs(endpoint, each.name).splitlines()]


def _records(text: bytes) -> list[dict[str, object]]:
    """Rows from one JSON list, from one object or from one per line."""
    try:
        rows = _parsed(text)
    except ValueError as error:
        raise click.ClickException(f'ROWS is not JSON: {error}; write {{"age": 31}}, one a line or in a list') from None
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise click.ClickException(f"ROWS: row {place} is a {kind}; objects of column names and values are wanted.")
    return rows


def _parsed(text: bytes) -> list[Any]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return whole if isinstance(whole, list) else [whole]


if __name__ == "__main__":
    main()
