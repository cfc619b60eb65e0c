"""The flights project in a home of its own, for tests that run it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.session import Session
from mlops_assets.config import Project, load_project
from mlops_assets.definitions import build_definitions
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.resources.platforms import embedded_registry, resources_for
from mlops_assets.serving.gateway_process import stop

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True)
class Flights:
    """The project, where its tables are, and a Dagster instance that its jobs run on."""

    home: Path
    project: Project
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    registry: ModelRegistry

    def run(
        self, job: str, ops: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run `<project>_<job>`."""
        return Session(self.instance, self.definitions).run(f"{self.project.name}_{job}", ops, tags)

    def path(self, layer: str, table: str) -> str:
        """Where a table lies."""
        return Warehouse(self.home).table(self.project.name, layer, table)

    def through(self, month: str) -> dict[str, Any]:
        """Run configuration that lets files arrive up to a month."""
        config = {"config": {"through": month}}
        return {f"{self.project.name}__source__{table}": config for table in ("flights", "weather")}


@contextmanager
def flights_in(
    home: Path, configs: Path = CONFIGS / "flights", through: str = "2013-01", platform: str = "embedded"
) -> Iterator[Flights]:
    """The flights project below `home`; its gateway is stopped at the end."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLOPS_HOME", str(home))
        environment.setenv("FLIGHTS_THROUGH", through)
        environment.delenv("MLOPS_GATEWAY_PORT", raising=False)
        project = load_project(configs)
        with dg.DagsterInstance.ephemeral() as instance:
            definitions = build_definitions([project], resources_for(platform))
            try:
                yield Flights(home, project, definitions, instance, embedded_registry())
            finally:
                stop(home)
