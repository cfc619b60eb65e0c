"""What becomes of columns that a source was not expected to have, as `schema_evolution` says."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlops_assets.lake.errors import LakeError, nearest

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


def left_out(config: "DataConfig", columns: Sequence[str], known: Iterable[str] | None, source: str) -> tuple[str, ...]:
    """Those of the `columns` that have arrived which bronze does not take.

    Expected are the document's declared columns or, where it declares none, those that the bronze table has (`known`).

    Raises:
        LakeError: there are others, and the document says `schema_evolution: fail`.
    """
    unexpected = _unexpected(config, columns, known)
    if not unexpected or config.schema_evolution == "add":
        return ()
    if config.schema_evolution == "ignore":
        return unexpected
    first = unexpected[0]
    of_what = "the document does not declare" if config.columns else "the table does not have"
    missing = [name for name in _expected(config, known) if name not in columns]
    raise LakeError(
        f"{source}: unexpected column '{first}', which {of_what}{nearest(first, missing)}; declare it under `columns`, "
        "or say `schema_evolution: add` to take new columns in or `ignore` to leave them out"
    )


def _unexpected(config: "DataConfig", columns: Sequence[str], known: Iterable[str] | None) -> tuple[str, ...]:
    if not config.columns and known is None:
        return ()
    expected = _expected(config, known)
    return tuple(name for name in columns if name not in expected)


def _expected(config: "DataConfig", known: Iterable[str] | None) -> list[str]:
    return list(config.columns or known or ())
