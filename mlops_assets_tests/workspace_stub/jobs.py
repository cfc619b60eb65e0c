"""One-time job runs: the wheel that a task names is unpacked and its entry point runs in a process of its own."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databricks.sdk.service.jobs import JobEnvironment, SubmitTask

from mlops_assets_tests.workspace_stub.http import Call, Refused, Routes

# What Databricks puts into a task's environment, and nothing of the caller's own.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME")


@dataclass
class Run:
    """A submitted run and its process."""

    id: int
    task: SubmitTask
    command: list[str]
    timeout: float | None
    life: str = "PENDING"
    result: str | None = None
    message: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    output: Path = field(default_factory=Path)
    wanted_dead: str | None = None

    def shown(self, url: str) -> dict[str, Any]:
        """The run as GET answers it."""
        state: dict[str, Any] = {"life_cycle_state": self.life, "state_message": self.message}
        if self.result:
            state["result_state"] = self.result
        task = {"run_id": self.id * 10, "task_key": self.task.task_key, "state": state}
        return {"run_id": self.id, "run_page_url": f"{url}/jobs/runs/{self.id}", "state": state, "tasks": [task]}


class Jobs:
    """The runs of a workspace. `kill_when` is asked often; the process is killed where it says so."""

    def __init__(self, root: Path, environment: Callable[[], Mapping[str, str]]) -> None:
        self.root, self.environment = root, environment
        self.runs: dict[int, Run] = {}
        self.kill_when: Callable[[], bool] | None = None
        self.timeout_seconds: float | None = None
        self._ids, self._tokens, self._lock = itertools.count(101), dict[str, int](), threading.Lock()

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        return {
            "POST /api/2.2/jobs/runs/submit": self.submit,
            "GET /api/2.2/jobs/runs/get": lambda call: self._run(call).shown(f"http://{call.host}"),
            "GET /api/2.2/jobs/runs/get-output": self.output,
            "POST /api/2.2/jobs/runs/cancel": self.cancel,
        }

    def submit(self, call: Call) -> dict[str, int]:
        """POST submit: the same idempotency token gives the same run."""
        body = call.body
        token = body.get("idempotency_token")
        with self._lock:
            if token and token in self._tokens:
                return {"run_id": self._tokens[token]}
            run = self._made(body)
            self.runs[run.id] = run
            if token:
                self._tokens[token] = run.id
        threading.Thread(target=self._execute, args=(run,), daemon=True).start()
        return {"run_id": run.id}

    def output(self, call: Call) -> dict[str, Any]:
        """GET get-output, by the task's run id: the tail of what it printed."""
        run = self.runs[int(call.query["run_id"]) // 10]
        text = run.output.read_text(errors="replace") if run.output.is_file() else ""
        lines = text.strip().splitlines()
        return {"logs": text[-5000:], "error": lines[-1] if lines and run.result == "FAILED" else ""}

    def cancel(self, call: Call) -> None:
        """POST cancel."""
        run = self.runs[int(call.body["run_id"])]
        run.wanted_dead = "CANCELED"

    def _run(self, call: Call) -> Run:
        number = int(call.query["run_id"])
        if number not in self.runs:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Run {number} does not exist.")
        return self.runs[number]

    def _made(self, body: Mapping[str, Any]) -> Run:
        tasks = [SubmitTask.from_dict(task) for task in body.get("tasks") or ()]
        if len(tasks) != 1 or tasks[0].python_wheel_task is None:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "this stand-in runs one python_wheel_task at a time.")
        (task,) = tasks
        wheels = self._wheels(task, body)
        folder = self.root / "runs" / str(number := next(self._ids))
        folder.mkdir(parents=True)
        for wheel in wheels:
            if not Path(wheel).is_file():
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"Library {wheel} does not exist.")
            zipfile.ZipFile(wheel).extractall(folder / "site")
        wheel_task = task.python_wheel_task
        assert wheel_task is not None
        module, function = _entry_point(folder / "site", wheel_task.entry_point)
        parameters = list(wheel_task.parameters or ())
        code = f"import sys; sys.argv = ['run', *{parameters!r}]; from {module} import {function} as run; run()"
        timeout = body.get("timeout_seconds") or self.timeout_seconds
        run = Run(number, task, [sys.executable, "-c", code], timeout)
        run.output = folder / "output.txt"
        return run

    def _wheels(self, task: SubmitTask, body: Mapping[str, Any]) -> list[str]:
        """The wheels of a serverless environment, or of a cluster's libraries."""
        if task.environment_key is None:
            if not (task.new_cluster or task.existing_cluster_id):
                raise Refused(400, "INVALID_PARAMETER_VALUE", "a task needs an environment_key or a cluster.")
            return [str(library.whl) for library in task.libraries or () if library.whl]
        environments = [JobEnvironment.from_dict(each) for each in body.get("environments") or ()]
        for environment in environments:
            if environment.environment_key == task.environment_key and environment.spec:
                return [each for each in environment.spec.dependencies or () if each.endswith(".whl")]
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"environment {task.environment_key} is not defined.")

    def _execute(self, run: Run) -> None:
        variables = {name: os.environ[name] for name in KEPT if name in os.environ}
        variables |= {**self.environment(), "PYTHONPATH": str(run.output.parent / "site")}
        begun = time.monotonic()
        with run.output.open("wb") as output:
            run.process = subprocess.Popen(
                run.command, env=variables, stdout=output, stderr=output, cwd=run.output.parent, start_new_session=True
            )
            run.life = "RUNNING"
            while run.process.poll() is None:
                if run.timeout is not None and time.monotonic() - begun > run.timeout:
                    run.wanted_dead = "TIMEDOUT"
                if self.kill_when is not None and self.kill_when():
                    self.kill_when = None
                    os.killpg(run.process.pid, signal.SIGKILL)
                if run.wanted_dead:
                    os.killpg(run.process.pid, signal.SIGKILL)
                    run.process.wait()
                time.sleep(0.005)
        code = run.process.returncode
        run.result = run.wanted_dead or ("SUCCESS" if code == 0 else "FAILED")
        run.message = {
            "SUCCESS": "",
            "CANCELED": "Run cancelled.",
            "TIMEDOUT": "Run timed out.",
            "FAILED": f"Workload failed, the task's process ended with code {code}.",
        }[run.result]
        run.life = "TERMINATED"


def _entry_point(site: Path, name: str) -> tuple[str, str]:
    """Module and function of a wheel's entry point, from its own metadata."""
    for file in site.glob("*.dist-info/entry_points.txt"):
        found = ConfigParser()
        found.read(file)
        for section in found.sections():
            if name in found[section]:
                module, _, function = found[section][name].partition(":")
                return module, function
    raise Refused(400, "INVALID_PARAMETER_VALUE", f"the wheel has no entry point {name}.")
