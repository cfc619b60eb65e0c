"""`python -m mlops_assets.rules suggest <table>` prints rules that a Delta table already keeps."""

import click
import polars as pl

from mlops_assets.rules.suggest import as_yaml
from mlops_assets.rules.suggest import suggest as suggest_rules


@click.group()
def main() -> None:
    """The rule language on the command line."""


@main.command()
@click.argument("table")
@click.option("--rows", default=1_000_000, show_default=True, help="Read no more rows than this.")
def suggest(table: str, rows: int) -> None:
    """Print a YAML block of rules that hold on the Delta table at TABLE (a path or URI)."""
    click.echo(as_yaml(suggest_rules(pl.scan_delta(table).head(rows).collect())), nl=False)


if __name__ == "__main__":
    main()
