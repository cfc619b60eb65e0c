"""Which Delta table another was made from: a table removed and written again counts its versions from 0."""

from collections.abc import Sequence

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.fingerprints import fingerprint, next_number, says

BRONZE = "bronze_table"  # the transaction that says which bronze table another is made from


def made_from(path: str, bronze: str) -> dict[str, int]:
    """The transaction with which a table records its bronze table; empty if it is recorded already."""
    return identity(BRONZE, delta.transaction_version(path, BRONZE), bronze)


def refuse_another(bronze: str, made: Sequence[str]) -> None:
    """Raise LakeError if one of the tables `made` from bronze was made from another table than the current one."""
    if any(is_another(delta.transaction_version(path, BRONZE), bronze) for path in made):
        raise another_bronze(bronze, made)


def another_bronze(bronze: str, made: Sequence[str]) -> LakeError:
    """The error for a bronze table that is not the one the others were made from."""
    return LakeError(
        f"{bronze}: this is another table than the one that {made[0]} was made from; remove {' and '.join(made)}, "
        "so that they are rebuilt from it, or use a new destination"
    )


def is_another(recorded: int | None, path: str) -> bool:
    """Whether the table at `path` is not the one whose number was `recorded`; False if none was."""
    return recorded is not None and not says(recorded, _identity(path))


def identity(name: str, recorded: int | None, path: str) -> dict[str, int]:
    """The transaction `name` that identifies the table at `path`; empty if it is recorded already."""
    found = _identity(path)
    return {} if says(recorded, found) else {name: next_number(name, recorded, found)}


def _identity(path: str) -> int:
    return fingerprint(str(delta.required(path).metadata().id).encode())
