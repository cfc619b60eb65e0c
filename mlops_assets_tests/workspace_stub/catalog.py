"""Unity Catalog's tables, told by SQL through a warehouse: the few statements that a test's product says, each held to
what Databricks refuses; any other is not implemented.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from mlops_assets_tests.workspace_stub.http import Call, Refused, Routes

PRIVILEGES = {"SELECT", "MODIFY", "ALL PRIVILEGES", "APPLY TAG"}
NAME = r"(?P<name>`\w+`\.`\w+`(?:\.`\w+`)?)"
TEXT = r"'(?P<text>(?:[^'\\]|\\.)*)'"
PAIR = re.compile(r"'((?:[^'\\]|\\.)*)' = '((?:[^'\\]|\\.)*)'")


@dataclass
class Table:
    """An external table."""

    location: str
    columns: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    grants: dict[str, set[str]] = field(default_factory=dict)


class Catalog:
    """The tables of a workspace by three-level name, in catalogs that a test names."""

    def __init__(self, schemas: set[str]) -> None:
        self.schemas, self.warehouses = schemas, {"warehouse"}
        self.tables: dict[str, Table] = {}
        self.told: list[str] = []
        self._ids = itertools.count(1)
        self._known: dict[re.Pattern[str], Callable[[re.Match[str]], None]] = {
            re.compile(f"CREATE SCHEMA IF NOT EXISTS {NAME}"): self._schema,
            re.compile(f"CREATE TABLE IF NOT EXISTS {NAME} USING DELTA LOCATION {TEXT}"): self._create,
            re.compile(f"MSCK REPAIR TABLE {NAME} SYNC METADATA"): lambda found: self._sync(self._table(found)),
            re.compile(f"COMMENT ON TABLE {NAME} IS {TEXT}"): self._comment,
            re.compile(rf"ALTER TABLE {NAME} SET TAGS \((?P<pairs>.+)\)"): self._tags,
            re.compile(f"GRANT (?P<privileges>[A-Z, ]+) ON TABLE {NAME} TO `(?P<principal>[^`]+)`"): self._grant,
        }

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        return {"POST /api/2.0/sql/statements": self.execute}

    def execute(self, call: Call) -> dict[str, Any]:
        """POST: a statement that is refused is an answer with status FAILED, as there."""
        body = call.body
        if body.get("warehouse_id") not in self.warehouses:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {body.get('warehouse_id')} does not exist.")
        statement = str(body["statement"])
        self.told.append(statement)
        answer: dict[str, Any] = {"statement_id": f"{next(self._ids):032x}"}
        for pattern, run in self._known.items():
            if found := pattern.fullmatch(statement):
                try:
                    run(found)
                except Refused as refused:
                    error = {"error_code": refused.code, "message": str(refused)}
                    return answer | {"status": {"state": "FAILED", "error": error}}
                return answer | {"status": {"state": "SUCCEEDED"}}
        raise Refused(501, "NOT_IMPLEMENTED", f"this stand-in knows no {statement}")

    def _schema(self, found: re.Match[str]) -> None:
        name = _plain(found["name"])
        if name.partition(".")[0] not in {each.partition(".")[0] for each in self.schemas}:
            raise Refused(404, "NOT_FOUND", f"[NO_SUCH_CATALOG_EXCEPTION] Catalog '{name.partition('.')[0]}' not found")
        self.schemas.add(name)

    def _create(self, found: re.Match[str]) -> None:
        name, location = _plain(found["name"]), _unescaped(found["text"])
        if name.rpartition(".")[0] not in self.schemas:
            raise Refused(404, "NOT_FOUND", f"[SCHEMA_NOT_FOUND] The schema of {name} cannot be found")
        if name in self.tables:
            return
        if "/Volumes/" in location or location.startswith("dbfs:"):
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Missing cloud file system scheme: {location}")
        if any(Path(location) == Path(each.location) for each in self.tables.values()):
            raise Refused(400, "LOCATION_OVERLAP", f"[LOCATION_OVERLAP] {location} overlaps with other tables")
        if not DeltaTable.is_deltatable(location):
            raise Refused(400, "BAD_REQUEST", f"[DELTA_PATH_DOES_NOT_EXIST] {location} is not a Delta table")
        self.tables[name] = Table(location)
        self._sync(self.tables[name])

    def _sync(self, table: Table) -> None:
        fields = DeltaTable(table.location).schema().fields
        table.columns = {each.name: str(each.metadata.get("comment", "")) for each in fields}

    def _comment(self, found: re.Match[str]) -> None:
        self._table(found).comment = _unescaped(found["text"])

    def _tags(self, found: re.Match[str]) -> None:
        for key, value in PAIR.findall(found["pairs"]):
            if re.search(r"[.,\-=/:]", key) or len(value) > 1000:
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"Tag {key} is not one that Unity Catalog takes")
            self._table(found).tags[_unescaped(key)] = _unescaped(value)

    def _grant(self, found: re.Match[str]) -> None:
        asked = {each.strip() for each in found["privileges"].split(",")}
        if unknown := asked - PRIVILEGES:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"{unknown} is no privilege of a table")
        self._table(found).grants.setdefault(found["principal"], set()).update(asked)

    def _table(self, found: re.Match[str]) -> Table:
        name = _plain(found["name"])
        if name not in self.tables:
            raise Refused(404, "NOT_FOUND", f"[TABLE_OR_VIEW_NOT_FOUND] The table {name} cannot be found")
        return self.tables[name]


def _plain(name: str) -> str:
    return name.replace("`", "")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
