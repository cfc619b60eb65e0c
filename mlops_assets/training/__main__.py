"""`python -m mlops_assets.training replay <model>/<version>`: trains a registered version again and compares."""

import sys

import click

from mlops_assets.registry import RegistryError
from mlops_assets.training.errors import TrainingError


@click.group()
def main() -> None:
    """What can be asked of registered models."""


@main.command()
@click.argument("which", metavar="MODEL/VERSION")
def replay(which: str) -> None:
    """Train MODEL/VERSION (a number, an alias or latest) again; exit code 1 where anything differs."""
    from mlops_assets.resources.platforms import registry_here
    from mlops_assets.training.replay import replay as replayed
    from mlops_assets.training.replay import shown

    model, slash, version = which.rpartition("/")
    if not slash:
        raise click.UsageError(f"'{which}' names no version; write {which}/latest")
    registry = registry_here()
    try:
        found = replayed(registry, registry.version(model, version))
    except (RegistryError, TrainingError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(shown(found))
    sys.exit(0 if found.equal else 1)


if __name__ == "__main__":
    main(prog_name="python -m mlops_assets.training")
