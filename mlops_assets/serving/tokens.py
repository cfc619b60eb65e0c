"""`python -m mlops_assets.serving.tokens grant|revoke|list`: further tokens of this home's gateway."""

from pathlib import Path

import click

from mlops_assets.serving.gateway.access import ALL, grant, read_grants, revoke
from mlops_assets.serving.gateway.files import GatewayHome, home_from_environment


@click.group()
@click.option("--home", type=click.Path(path_type=Path), help="Folder of state and token [MLOPS_HOME, .mlops].")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Tokens that may query some endpoints and nothing else; a running gateway sees a change at once."""
    context.obj = (GatewayHome(home.resolve()) if home else home_from_environment()).tokens_file


@main.command("grant")
@click.argument("name")
@click.option("--endpoint", "endpoints", multiple=True, help="Endpoint it may query; may be given again [all].")
@click.pass_obj
def grant_command(file: Path, name: str, endpoints: tuple[str, ...]) -> None:
    """Make a token called NAME and print it; it is shown only now."""
    click.echo(grant(file, name, endpoints or (ALL,)))


@main.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke_command(file: Path, name: str) -> None:
    """Forget the token called NAME."""
    if not revoke(file, name):
        raise click.ClickException(f"there is no token called '{name}'.")


@main.command("list")
@click.pass_obj
def list_command(file: Path) -> None:
    """The names of the tokens and the endpoints they may query."""
    for each in read_grants(file).values():
        click.echo(f"{each.name}: {', '.join(each.endpoints)}")


if __name__ == "__main__":
    main()
