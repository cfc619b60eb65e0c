"""Puts the reference pages, which the models write, into the site while it is built."""

from typing import Any

from mkdocs.structure.files import File, Files

from mlops_assets.config.parsing.kinds import ALL_MODELS
from mlops_assets.config.reference import reference_page


def on_files(files: Files, *, config: Any) -> Files:
    """The site's files and one page for each kind of document."""
    for kind in ALL_MODELS:
        files.append(File.generated(config, f"reference/{kind}.md", content=reference_page(kind)))
    return files
