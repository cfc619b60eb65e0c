"""`python -m mlops_assets`."""

from mlops_assets.cli.commands import main

main(prog_name="python -m mlops_assets")
