"""A project's Delta tables in Unity Catalog: external tables by three-level names, with comments, tags and grants.

Everything is idempotent SQL to a warehouse. Unity Catalog reads column types and comments from the Delta log itself.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mlops_assets.workspace_dashboards import PublishDashboard

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from mlops_assets.config import Project

POLL_SECONDS = 2.0
WAITING = ("PENDING", "RUNNING")
RESERVED = re.compile(r"[.,\-=/:]")  # not allowed in a tag's name


class UnityError(Exception):
    """Unity Catalog refused a statement."""


@dataclass(frozen=True)
class UnityTables:
    """The schema (`catalog.schema`) of tables, the SQL warehouse that is told, privileges by principal, and the
    schemas of environments that have their own.
    """

    schema: str
    warehouse_id: str
    grants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environments: Mapping[str, str] = field(default_factory=dict)

    def schema_in(self, environment: str) -> str:
        """The schema of an environment's tables."""
        return self.environments.get(environment, self.schema)


@dataclass(frozen=True)
class UnityCatalog:
    """What is to be said of every table, who says it, and who shows a dashboard of them, if it is shown."""

    tables: UnityTables
    execute: Callable[[str], None]
    publish: PublishDashboard | None = None


@dataclass(frozen=True)
class UnityTable:
    """One table: `catalog.schema.table`, its path, comment and tags."""

    name: str
    location: str
    comment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def table_name(schema: str, project: "Project", layer: str, table: str, documented: str = "") -> str:
    """A documented name of three levels in the environment's catalog; else the schema's `<project>_<layer>_<table>`."""
    if re.fullmatch(r"\w+\.\w+\.\w+", documented):
        return f"{schema.partition('.')[0]}.{documented.partition('.')[2]}"
    return f"{schema}.{project.name}_{layer}_{table}"


def statements(table: UnityTable, grants: Mapping[str, Sequence[str]]) -> list[str]:
    """The SQL statements that create or update a table in Unity Catalog."""
    name = identifier(table.name)
    pairs = ", ".join(f"{_text(RESERVED.sub('_', key))} = {_text(value)}" for key, value in table.tags.items())
    return [
        f"CREATE SCHEMA IF NOT EXISTS {identifier(table.name.rpartition('.')[0])}",
        f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION {_text(table.location)}",
        f"MSCK REPAIR TABLE {name} SYNC METADATA",
        *([f"COMMENT ON TABLE {name} IS {_text(table.comment)}"] if table.comment else []),
        *([f"ALTER TABLE {name} SET TAGS ({pairs})"] if pairs else []),
        *(
            f"GRANT {', '.join(privileges)} ON TABLE {name} TO {_quoted(principal)}"
            for principal, privileges in grants.items()
        ),
    ]


def register(tables: Sequence[UnityTable], unity: UnityTables, execute: Callable[[str], None]) -> None:
    """Register tables in Unity Catalog."""
    for table in tables:
        for statement in statements(table, unity.grants):
            execute(statement)


def sql_executor(workspace: "Callable[[], WorkspaceClient]", warehouse_id: str) -> Callable[[str], None]:
    """What sends a statement to the workspace's SQL warehouse and waits for it; the client is made when it is needed.

    Raises (when called):
        UnityError: it failed, with the statement.
    """
    client = cache(workspace)

    def execute(statement: str) -> None:
        from databricks.sdk.errors.base import DatabricksError

        warehouse = client().statement_execution
        try:
            answer: Any = warehouse.execute_statement(statement, warehouse_id, wait_timeout="30s")
            while _state(answer) in WAITING:
                time.sleep(POLL_SECONDS)
                answer = warehouse.get_statement(answer.statement_id)
        except DatabricksError as error:
            raise UnityError(f"Unity Catalog: {error}, asked for: {statement}") from error
        if _state(answer) != "SUCCEEDED":
            reason = answer.status.error.message if answer.status and answer.status.error else _state(answer)
            raise UnityError(f"Unity Catalog: {reason}, asked for: {statement}")

    return execute


def _state(answer: Any) -> str:
    return answer.status.state.value if answer.status and answer.status.state else "FAILED"


def identifier(name: str) -> str:
    """A name of one to three levels as SQL takes it."""
    return ".".join(map(_quoted, name.split(".")))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
