"""Running a project's jobs and ticking its sensors in this process, on the instance that the UI shows."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.config import home, writable_home

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RUN_KEY, SENSOR = "dagster/run_key", "dagster/sensor_name"


@dataclass(frozen=True)
class Session:
    """A Dagster instance and the definitions loaded from MLOPS_CONFIGS."""

    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def run(
        self, job: str, ops: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job; a failure is in the result, not raised."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config={**QUIET, "ops": dict(ops or {})},
            instance=self.instance,
            tags=dict(tags or {}),
            raise_on_error=False,
        )

    def tick(self, sensor: str) -> tuple[list[dg.RunRequest], str]:
        """Evaluate a sensor once with its stored cursor. Returns the runs it asks for that were not run before, as
        the daemon would see to, and the reason where there are none.
        """
        definition = self.definitions.resolve_sensor_def(sensor)
        place = f"cursor:{sensor}"
        stored = self.instance.daemon_cursor_storage.get_cursor_values({place}).get(place)
        with dg.build_sensor_context(self.instance, cursor=stored, definitions=self.definitions) as context:
            found = definition.evaluate_tick(context)
        if found.cursor is not None:
            self.instance.daemon_cursor_storage.set_cursor_values({place: found.cursor})
        requests = [request for request in found.run_requests or [] if not self._ran(sensor, request)]
        return requests, found.skip_message or ""

    def run_request(self, sensor: str, job: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run what a sensor asked for, under its run key."""
        tags = {**request.tags, SENSOR: sensor, RUN_KEY: str(request.run_key)}
        return self.run(job, request.run_config.get("ops"), tags)

    def _ran(self, sensor: str, request: dg.RunRequest) -> bool:
        tags = {SENSOR: sensor, RUN_KEY: str(request.run_key)}
        return bool(self.instance.get_runs(dg.RunsFilter(tags=tags), limit=1))


def dagster_home() -> Path:
    """DAGSTER_HOME, `$MLOPS_HOME/dagster` where it is not set, with the current folder's dagster.yaml where it has
    none.
    """
    writable_home()
    folder = Path(os.environ.setdefault("DAGSTER_HOME", str(home() / "dagster"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    settings, own = folder / "dagster.yaml", Path("dagster.yaml")
    if own.exists() and not settings.exists():
        shutil.copy(own, settings)
    return folder


@contextmanager
def session() -> Iterator[Session]:
    """The instance of DAGSTER_HOME with the projects of MLOPS_CONFIGS."""
    dagster_home()
    from mlops_assets.definitions import defs

    with dg.DagsterInstance.get() as instance:
        yield Session(instance, defs)
