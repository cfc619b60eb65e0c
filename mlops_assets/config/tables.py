"""The tables a project's documents write, and the names other documents may read them by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mlops_assets.config.base import last_part
from mlops_assets.config.document import Document
from mlops_assets.config.project import Project

Layer = Literal["bronze", "silver", "gold"]
_EXTERNAL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|\.\.?/|~")
_DOTTED = re.compile(r"[^\s./:]+(\.[^\s./:]+){1,2}")


@dataclass(frozen=True)
class TableRef:
    """One table of the project: `silver/flights`."""

    layer: Layer
    table: str

    def __str__(self) -> str:
        """The form documents may use: `silver/flights`."""
        return f"{self.layer}/{self.table}"


def tables_of(project: Project) -> Iterator[tuple[TableRef, Document[Any]]]:
    """Every table with the document that writes it; a table two documents write comes twice."""
    for data in project.data:
        yield TableRef("bronze", data.name), data
        yield TableRef("silver", data.name), data
        yield TableRef("silver", f"{data.name}_quarantine"), data
    for features in project.features:
        yield TableRef("gold", features.name), features
    for deployment in project.deployment[:1]:
        yield TableRef("gold", "predictions"), deployment


def resolve_table(
    project: Project, reference: str, reader: Document[Any] | None = None, *, exact: bool = False
) -> TableRef | None:
    """The project's table that a reference names, or None where it names none.

    In this order: the documented `destination_path`, `feature_table_name` or `offline_store_path`;
    `silver/flights`; a bare name or, unless it is to be `exact`, a dotted one by its last part, silver before gold,
    where a match that `reader` itself writes means that the name stands for something outside.
    """
    name = reference.strip().rstrip("/").removeprefix(f"{project.name}/")
    found = _by_path(project, name) or _by_key(project, name)
    return found or (None if exact and not _is_bare(name) else _by_last_part(project, name, reader))


def _by_path(project: Project, name: str) -> TableRef | None:
    if _is_bare(name):
        return None
    paths = {(each.config.offline_store_path or "").rstrip("/"): each for each in project.features}
    paths |= {each.config.feature_table_name: each for each in project.features}
    silver = next((each for each in project.data if name == each.config.destination_path.rstrip("/")), None)
    if silver:
        return TableRef("silver", silver.name)
    return TableRef("gold", paths[name].name) if name and name in paths else None


def _is_bare(name: str) -> bool:
    return re.fullmatch(r"\w+", name) is not None


def _by_key(project: Project, name: str) -> TableRef | None:
    return next((table for table, _ in tables_of(project) if str(table) == name), None)


def _by_last_part(project: Project, name: str, reader: Document[Any] | None) -> TableRef | None:
    if not (_is_bare(name) or _DOTTED.fullmatch(name)):
        return None
    table = name.rsplit(".", 1)[-1]
    written = dict(tables_of(project))
    options: tuple[Layer, ...] = ("silver", "gold")
    found = next((ref for layer in options if (ref := TableRef(layer, table)) in written), None)
    return None if found is None or written[found] is reader else found


def writer_of(project: Project, table: TableRef) -> Document[Any] | None:
    """The document that writes a table."""
    return next((document for ref, document in tables_of(project) if ref == table), None)


def looks_external(reference: str) -> bool:
    """Whether it is a path outside the project: with a scheme (`s3://`), or from `/`, `./` or `~`."""
    return _EXTERNAL.match(reference) is not None


def known_names(project: Project, reference: str) -> list[str]:
    """What a misspelt reference may have meant, in the form it is written: `silver/flights` or `flights`."""
    layered = reference.split("/")[0] in get_args(Layer) or "/" in reference
    return list(dict.fromkeys(str(table) if layered else table.table for table, _ in tables_of(project)))


def misspelt(reference: str) -> str:
    """The part of an unknown reference that is compared with the known names."""
    return reference if "/" in reference else last_part(reference)
