"""`python -m mlops_assets.config schema|reference <folder>`: writes the documents' JSON Schemas or reference pages."""

import argparse
from pathlib import Path

from mlops_assets.config.problems import shown
from mlops_assets.config.reference import write_reference
from mlops_assets.config.schema import write_schemas


def main() -> None:
    """Runs the command the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m mlops_assets.config", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    schema = commands.add_parser("schema", help="write the documents' JSON Schemas")
    schema.add_argument("folder", type=Path, nargs="?", default=Path("configs/schema"))
    schema.set_defaults(write=write_schemas)
    pages = commands.add_parser("reference", help="write the documents' reference as Markdown")
    pages.add_argument("folder", type=Path, nargs="?", default=Path("docs/reference"))
    pages.set_defaults(write=write_reference)
    chosen = parser.parse_args()
    for path in chosen.write(chosen.folder):
        print(shown(path))


if __name__ == "__main__":
    main()
