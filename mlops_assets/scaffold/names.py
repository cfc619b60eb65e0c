"""Column names that need no quotes: letters, digits and underscores."""

import re

from mlops_assets.config.base import unique_name
from mlops_assets.config.features import PREDICTION_COLUMNS


def plain_name(column: str) -> str:
    """The name of a column in letters, digits and underscores, no digit first: `mean radius (cm)` is
    `mean_radius_cm`.
    """
    plain = re.sub(r"\W+", "_", column.strip(), flags=re.ASCII).strip("_") or "column"
    return f"_{plain}" if plain[0].isdigit() else plain


def plain_names(columns: list[str]) -> dict[str, str]:
    """Old to new name of the columns that need one; names stay unique."""
    kept = {name for name in columns if plain_name(name) == name} - PREDICTION_COLUMNS
    taken = kept | PREDICTION_COLUMNS
    return {name: unique_name(plain_name(name), taken) for name in columns if name not in kept}
