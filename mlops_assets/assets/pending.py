"""Telling a run which of a document's fields it could not honour: accepted, checked, and without effect yet."""

from typing import Any

import dagster as dg

from mlops_assets.config import Document
from mlops_assets.config.pending import pending_fields


def warn_pending(context: dg.AssetExecutionContext, document: Document[Any]) -> None:
    """One warning line that names the fields, where there are any."""
    fields = pending_fields(document)
    if fields:
        context.log.warning("%s: no effect in this version: %s", document.file, ", ".join(fields))
