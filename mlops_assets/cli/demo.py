"""`make demo`: January to March trained and deployed, then April to December replayed month by month.

Every step is a run of a real job, every decision the real sensor's, all on the instance that `make ui` shows. What it
prints is read from the tables and the registry, so a second run, which finds everything done, prints the same.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from mlops_assets.cli.report import print_report
from mlops_assets.cli.session import Session, session
from mlops_assets.config import configs_folder, home, load_project, writable_home
from mlops_assets.serving.gateway_process import address, stop

FIRST, MONTHS = "2013-03", [f"2013-{month:02}" for month in range(4, 13)]
INTERRUPTED = 130  # what a shell reports of Ctrl-C
WIDTH = 132  # of the table, where it is not a terminal that says
MONTHLY_SOURCES = ("flights", "weather")


class StepFailed(Exception):
    """A run of the demo failed."""


def run_demo(project: str) -> bool:
    """Run it, print what happened and what to open next; False where a run failed."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    writable_home()
    started = time.monotonic()
    was_running = address(home()) is not None
    try:
        with session() as dagster, _progress(console) as progress:
            _interruptible(lambda: _replay(dagster, project, progress))
    except StepFailed as failure:
        console.print(f"[bold red]{failure}")
        return False
    except KeyboardInterrupt:
        console.print("Stopped. Nothing is lost: make demo goes on where it was.")
        stop(home())
        # The step that was interrupted is on another thread, and would run to its end.
        os._exit(INTERRUPTED)
    finally:
        if not was_running:
            stop(home())
    print_report(console, load_project(configs_folder() / project), seconds=time.monotonic() - started)
    return True


def _interruptible(work: Callable[[], None]) -> None:
    """Do the work on another thread: on the main one, Dagster would keep Ctrl-C to itself until a run is over."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    ThreadPoolExecutor(max_workers=1).submit(work).result()


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


def _replay(dagster: Session, project: str, progress: Progress) -> None:
    months = progress.add_task("January to March: ingest, train, deploy", total=len(MONTHS) + 1)
    sensor = f"{project}_drift_sensor"
    if not _deployed(dagster, project):
        _finished(dagster.run(f"{project}_pipeline", _through(project, FIRST)))
    progress.advance(months)
    for month in MONTHS:
        progress.update(months, description=f"{month}: ingest, score, look for drift")
        _finished(dagster.run(f"{project}_monitor", _through(project, month)))
        requests, _ = dagster.tick(sensor)
        for request in requests:
            progress.update(months, description=f"{month}: retrain, compare with the champion")
            _finished(dagster.run_request(sensor, f"{project}_retrain", request))
        progress.advance(months)
    progress.update(months, description="April to December replayed")


def _through(project: str, month: str) -> dict[str, object]:
    """The run configuration that lets a month's files arrive."""
    return {f"{project}__source__{table}": {"config": {"through": month}} for table in MONTHLY_SOURCES}


def _deployed(dagster: Session, project: str) -> bool:
    key = dg.AssetKey([project, "deployment", "production"])
    return dagster.instance.get_latest_materialization_event(key) is not None


def _finished(result: dg.ExecuteInProcessResult) -> None:
    """Raises StepFailed with the first failure's words, unless the run succeeded."""
    if result.success:
        return
    raise StepFailed(
        f"{result.dagster_run.job_name} failed: {'; '.join(_failures(result.all_events)) or 'see make ui'}"
    )


def _failures(events: Sequence[dg.DagsterEvent]) -> list[str]:
    failed = [event for event in events if event.is_step_failure]
    return [f"{event.step_key}: {event.step_failure_data.error_display_string.splitlines()[0]}" for event in failed]
