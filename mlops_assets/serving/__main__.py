"""`python -m mlops_assets.serving predict|status|stop`: the gateway of this home from a command line."""

import json
import sys
from pathlib import Path
from typing import BinaryIO

import click

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.home import GatewayHome, home_from_environment, read_token

NO_GATEWAY = "no gateway runs in {}; start it with python -m mlops_assets.serving.gateway."


@click.group()
@click.option("--home", type=click.Path(path_type=Path), help="Folder of state and token [MLOPS_HOME, .mlops].")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Ask, look at or stop the gateway of one home."""
    context.obj = GatewayHome(home.resolve()) if home else home_from_environment()


@main.command()
@click.argument("endpoint")
@click.argument("rows", type=click.File("rb"), default="-")
@click.pass_obj
def predict(home: GatewayHome, endpoint: str, rows: BinaryIO) -> None:
    """Predict ROWS (JSON: a list of objects, or one per line; - is standard input) with ENDPOINT."""
    import pandas as pd

    from mlops_assets.serving import EndpointCredentials, TabularModelClient

    credentials = EndpointCredentials.model_validate({"token": read_token(home)})
    client = TabularModelClient(_running(home).url, credentials)
    try:
        predictions = client.predict(endpoint, pd.DataFrame(_records(rows.read())))
    except ServingError as error:
        raise click.ClickException(str(error)) from None
    predictions.to_json(sys.stdout, orient="records", lines=True)


@main.command()
@click.pass_obj
def status(home: GatewayHome) -> None:
    """What the gateway serves, one endpoint a line."""
    address = _running(home)
    click.echo(f"{address.url} (pid {address.pid})")
    with GatewayEndpoints(address.url, read_token(home)) as endpoints:
        for found in endpoints.list():
            served = ", ".join(f"{each.model_name} {each.version} {each.traffic_percentage} %" for each in found.served)
            state = "ready" if found.ready else "not ready"
            click.echo(f"{found.name}: {state}, {found.config_update.lower()}: {served} {found.message}".rstrip(": "))


@main.command()
@click.pass_obj
def stop(home: GatewayHome) -> None:
    """Stop the gateway; what is deployed is served again when it starts."""
    stopped = gateway_process.stop(home.root)
    click.echo("Stopped." if stopped else f"No gateway runs in {home.root}.")


def _running(home: GatewayHome) -> gateway_process.GatewayAddress:
    address = gateway_process.address(home.root)
    if address is None:
        raise click.ClickException(NO_GATEWAY.format(home.root))
    return address


def _records(text: bytes) -> list[dict[str, object]]:
    """Rows from one JSON list or from one object per line."""
    try:
        if text.lstrip().startswith(b"["):
            rows: list[dict[str, object]] = json.loads(text)
            return rows
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise click.ClickException(f"ROWS is not JSON: {error}.") from None


if __name__ == "__main__":
    main()
