"""A real `dagster-daemon` on a project of one's own, with source files that arrive when a test lets them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil
import yaml

from mlops_assets.lake.locations import Warehouse
from mlops_assets.samples import nycflights13
from mlops_assets.serving.gateway_process import stop

ROOT = Path(__file__).parents[1]
ONE_IN = 4  # flights that are kept
LANDING = "dbfs/landing/nycflights13"
ALONE = {
    **{f"data/{table}": {"sample": None} for table in nycflights13.TABLES},
    # What is measured is the loop, not how fast a busy machine answers.
    "deployment": {"tests": [{"type": "schema"}, {"type": "golden_rows", "rows": 200}]},
    "pipeline": {"schedule": {"cron": "0 6 1 1 *", "timezone": "America/New_York", "pause_status": "UNPAUSED"}},
    "monitoring": {
        "monitoring_interval_minutes": 1,
        "min_sample": 500,
        "alerting": {"aggregation_window": "0m", "notification_channels": [{"type": "webhook", "url": "${HOOK}"}]},
    },
}


@dataclass
class Alone:
    """The flights project in `home`, its instance, and the daemon that is left with it."""

    home: Path
    environment: Mapping[str, str]
    instance: dg.DagsterInstance
    daemon: subprocess.Popen[bytes] | None = None
    started: list[psutil.Process] = field(default_factory=list)

    def feed(self, month: str) -> None:
        """Let a month's files arrive: every fourth flight, all the weather, and the tables that do not change."""
        for table in nycflights13.TABLES:
            for name, rows in nycflights13.source_files(table, month).items():
                file = self.home / LANDING / table / name
                if not file.exists():
                    file.parent.mkdir(parents=True, exist_ok=True)
                    kept = rows.gather_every(ONE_IN) if table == "flights" else rows
                    kept.write_csv(file.with_suffix(".part"))
                    file.with_suffix(".part").rename(file)

    def run_pipeline(self) -> None:
        """What a person does once: `dagster job execute`."""
        command = ["-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", "flights_pipeline"]
        with (self.home / "pipeline.log").open("wb") as log:
            subprocess.run([sys.executable, *command], env=dict(self.environment), check=True, stdout=log, stderr=log)

    def start(self) -> None:
        """Start the daemon."""
        command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", "mlops_assets.definitions"]
        with (self.home / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                command, env=dict(self.environment), stdout=log, stderr=log, start_new_session=True
            )
        self.started.append(psutil.Process(self.daemon.pid))

    def kill(self) -> None:
        """Kill the daemon as a crash would: it alone, and at once."""
        assert self.daemon is not None
        self.started += self.started[-1].children(recursive=True)
        os.kill(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()

    def runs(self, job: str) -> list[dg.DagsterRun]:
        """The runs of `flights_<job>`, oldest first."""
        return list(self.instance.get_runs(dg.RunsFilter(job_name=f"flights_{job}"), ascending=True))

    def path(self, layer: str, table: str) -> str:
        """Where a table lies."""
        return Warehouse(self.home).table("flights", layer, table)

    def wait(self, what: str, happened: Callable[[], bool], seconds: float = 600) -> None:
        """Wait until it happened; an error with the daemon's last lines where it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError):  # a file that is being written
                if happened():
                    return
            time.sleep(0.5)
        tail = (self.home / "daemon.log").read_text().splitlines()[-20:]
        raise AssertionError(f"{what}: not within {seconds} s\n" + "\n".join(tail))


@contextmanager
def left_alone(home: Path, hook: str) -> Iterator[Alone]:
    """The flights project with `hook` told of its alarms; all that was started is ended."""
    shutil.copytree(ROOT / "configs" / "flights", home / "configs" / "flights")
    (home / "configs" / "flights" / "overrides.yaml").write_text(yaml.safe_dump(ALONE))
    settings = home / "dagster"
    settings.mkdir()
    shutil.copy(ROOT / "dagster.yaml", settings)
    environment = {
        **os.environ,
        **{"MLOPS_HOME": str(home), "MLOPS_CONFIGS": str(home / "configs"), "DAGSTER_HOME": str(settings)},
        **{"HOOK": hook, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
    }
    environment.pop("MLOPS_GATEWAY_PORT", None)
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        alone = Alone(home, environment, instance)
        try:
            yield alone
        finally:
            processes = alone.started + [each for one in alone.started for each in _children(one)]
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes, 10)
            stop(home)


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return list(process.children(recursive=True))
    return []
