"""Which Delta table another was made from: one that is removed and written anew counts its versions from 0 again."""

from collections.abc import Sequence

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.fingerprints import fingerprint, next_number, says

BRONZE = "bronze_table"  # the transaction that says which bronze table another is made from


def made_from(path: str, bronze: str) -> dict[str, int]:
    """What a table that is made from bronze records beside how far it has come; nothing where it says so already."""
    return identity(BRONZE, delta.transaction_version(path, BRONZE), bronze)


def refuse_another(bronze: str, made: Sequence[str]) -> None:
    """Raise LakeError where one of the tables that are `made` from bronze came from another table than is there now."""
    if any(is_another(delta.transaction_version(path, BRONZE), bronze) for path in made):
        raise made_anew(bronze, made)


def made_anew(bronze: str, made: Sequence[str]) -> LakeError:
    """What is said of a bronze table that is not the one that the others have come so far in."""
    return LakeError(
        f"{bronze}: this is another table than the one that {made[0]} was made from; remove {' and '.join(made)}, "
        "so that they are made from it anew, or take a new destination"
    )


def is_another(recorded: int | None, path: str) -> bool:
    """Whether the table at `path` is not the one whose number was `recorded`; where none was, nothing is known."""
    return recorded is not None and not says(recorded, _identity(path))


def identity(name: str, recorded: int | None, path: str) -> dict[str, int]:
    """The transaction `name` that says which table is at `path`; none where it says so already."""
    found = _identity(path)
    return {} if says(recorded, found) else {name: next_number(name, recorded, found)}


def _identity(path: str) -> int:
    return fingerprint(str(delta.required(path).metadata().id).encode())
