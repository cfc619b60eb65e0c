"""The commands of `python -m mlops_assets`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mlops_assets.config import ConfigError


@contextmanager
def _exit_on(*kinds: type[Exception]) -> Iterator[None]:
    """What a person can mend is one message and exit code 1, no traceback."""
    mendable: tuple[type[Exception], ...] = (ConfigError, *kinds)
    try:
        yield
    except mendable as error:
        click.echo(str(error), err=True)
        sys.exit(1)


@click.group()
def main() -> None:
    """A model's whole life in typed YAML, as a Dagster asset graph."""


@main.command()
def check() -> None:
    """Check every project's documents, hyperparameters against their estimators included."""
    from mlops_assets.cli.check import check_projects

    with _exit_on():
        for line in check_projects():
            click.echo(line)


@main.command()
@click.argument("name")
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), help="A file, a folder of files, a Delta table."
)
@click.option("--target", help="Column to predict; guessed where it is not given.")
@click.option("--owner", help="E-mail address or team; your login name where it is not given.")
def init(name: str, source: Path, target: str | None, owner: str | None) -> None:
    """Write a working project NAME from a data file."""
    from mlops_assets.cli.init import init_project
    from mlops_assets.scaffold import ScaffoldError

    with _exit_on(ScaffoldError):
        for line in init_project(name, source, target, owner):
            click.echo(line)


@main.command()
@click.option("--project", default="flights", help="Project to run; its sources must be the flights example's.")
def demo(project: str) -> None:
    """Run a model's whole life on the flights of 2013."""
    from mlops_assets.cli.demo import run_demo

    with _exit_on():
        sys.exit(0 if run_demo(project) else 1)


@main.command()
@click.argument("project")
def dashboard(project: str) -> None:
    """Print PROJECT's monitoring dashboard as a .lvdash.json of Databricks, for a bundle."""
    from mlops_assets.cli.dashboard import dashboard_file

    with _exit_on():
        click.echo(dashboard_file(project), nl=False)


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, help="Port of the Dagster UI.")
@click.option("--mlflow-port", type=click.IntRange(1, 65535), default=5000, help="Port of the MLflow UI.")
def ui(port: int, mlflow_port: int) -> None:
    """Open the Dagster UI, the gateway and the MLflow UI; Ctrl-C stops all of it."""
    from mlops_assets.cli.ui import PortTaken, run_ui

    with _exit_on(PortTaken):
        sys.exit(0 if run_ui(port, mlflow_port) else 1)
