"""MLflow's migrations make one sqlite database a process; its further new ones are copies of that one (2 s less)."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

Migrate = Callable[[Any], object]


class MigratedOnce:
    """In the place of MLflow's `_upgrade_db(engine)`, with the function that tells a database's version."""

    def __init__(self, migrate: Migrate, version: Migrate) -> None:
        self.migrate, self.version = migrate, version
        self.made: bytes | None = None

    def __call__(self, engine: Any) -> None:
        if engine.dialect.name != "sqlite" or self.version(engine) is not None:
            self.migrate(engine)
            return
        if self.made is None:
            self.migrate(engine)
        with engine.connect() as connection:
            file: sqlite3.Connection = connection.connection.driver_connection
            if self.made is None:
                self.made = file.serialize()
            else:
                restore(self.made, file)


def restore(made: bytes, file: sqlite3.Connection) -> None:
    """Make a database what another was."""
    with closing(sqlite3.connect(":memory:")) as whole:
        whole.deserialize(made)
        whole.backup(file)


def migrate_once() -> None:
    """Let this process's MLflow copy from here on; it is loaded by the first test that needs it, not here."""
    mlflow: Any = sys.modules.get("mlflow.store.db.utils")
    if mlflow is not None and not isinstance(mlflow._upgrade_db, MigratedOnce):
        mlflow._upgrade_db = MigratedOnce(mlflow._upgrade_db, mlflow._get_schema_version)
