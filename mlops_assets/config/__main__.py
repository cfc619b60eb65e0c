"""`python -m mlops_assets.config schema|reference <folder>`: writes the documents' JSON Schemas or reference pages."""

from collections.abc import Iterable
from pathlib import Path

import click

from mlops_assets.config.problems import shown
from mlops_assets.config.reference import write_reference
from mlops_assets.config.schema import write_schemas

FOLDER = click.Path(file_okay=False, writable=True, path_type=Path)


@click.group()
def main() -> None:
    """Write what is published of the documents' models."""


@main.command()
@click.argument("folder", type=FOLDER, default=Path("configs/schema"))
def schema(folder: Path) -> None:
    """Write the documents' JSON Schemas."""
    _list(write_schemas(folder))


@main.command()
@click.argument("folder", type=FOLDER, default=Path("docs/reference"))
def reference(folder: Path) -> None:
    """Write the documents' reference as Markdown."""
    _list(write_reference(folder))


def _list(files: Iterable[Path]) -> None:
    for file in files:
        click.echo(shown(file))


if __name__ == "__main__":
    main()
