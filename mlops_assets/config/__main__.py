"""`python -m mlops_assets.config schema <folder>`: writes the documents' JSON Schemas."""

import argparse
from pathlib import Path

from mlops_assets.config.problems import shown
from mlops_assets.config.schema import write_schemas


def main() -> None:
    """Runs the command the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m mlops_assets.config", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    schema = commands.add_parser("schema", help="write the documents' JSON Schemas")
    schema.add_argument("folder", type=Path, nargs="?", default=Path("configs/schema"))
    for path in write_schemas(parser.parse_args().folder):
        print(shown(path))


if __name__ == "__main__":
    main()
