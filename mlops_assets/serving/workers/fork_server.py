"""`python -m mlops_assets.serving.workers.fork_server`: imports once what every model needs, forks a worker per order.

Workers share those imports' memory (150 MB) and start in a tenth of a second. An order is one line of JSON
(model path, environment, threads) with the worker's end of a socket pair. Nothing but orders is read, and the
process ends when its gateway closes the connection; workers end with their own sockets.
"""

import gc
import json
import os
import signal
import socket
import struct
import sys
import traceback
from typing import Any

MAX_ORDER_BYTES = 1 << 20
MOST_LOG_BYTES = 1 << 20
# The answer to an order.
PID = struct.Struct(">I")
# pandas and skops look for these and do well without them: 40 MB.
NOT_NEEDED = ("pyarrow", "pytest")


def main() -> None:
    """Fork a worker per order until the gateway closes the connection."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    # What a model prints goes to the log.
    os.dup2(2, 1)
    _import_what_models_need()
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    gc.collect()
    gc.freeze()
    while True:
        line, descriptors, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, 1)
        while line and not line.endswith(b"\n"):
            line += orders.recv(MAX_ORDER_BYTES)
        if not line:
            return
        pid = os.fork()
        if pid == 0:
            orders.close()
            _become_worker(json.loads(line), socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
        orders.sendall(PID.pack(pid))


def _import_what_models_need() -> None:
    for name in NOT_NEEDED:
        sys.modules[name] = None  # type: ignore[assignment]
    import pandas  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.pipeline
    import skops.io

    from mlops_assets.features import transformers
    from mlops_assets.serving import model
    from mlops_assets.serving.plan import proof
    from mlops_assets.serving.workers import worker

    assert all((transformers, model, proof, worker, skops.io, sklearn.compose))
    for name in NOT_NEEDED:
        # scikit-learn asks whether its input is one of theirs by looking here.
        del sys.modules[name]


def _become_worker(order: dict[str, Any], link: socket.socket) -> None:
    """The child's life; it ends here whatever happens, so that it never forks itself."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _print_into(order["log"])
        os.environ.update(order["environment"])
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        from mlops_assets.serving.workers.worker import run_worker

        with threadpool_limits(order["threads"]):
            run_worker(link, order["model_path"], order["onnx_path"])
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the gateway went away in the middle of an answer
    except BaseException:  # noqa: BLE001 - a forked child must end here, whatever happens
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _print_into(log: str) -> None:
    """Append standard output and error to a file, which is truncated first if it is large."""
    large = os.path.exists(log) and os.path.getsize(log) > MOST_LOG_BYTES
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if large else 0), 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _reap() -> None:
    """Ended workers, named in the log where nobody asked them to end."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if status:
            code = os.waitstatus_to_exitcode(status)
            ending = f"signal {-code}" if code < 0 else f"exit code {code}"
            os.write(2, f"worker {pid} ended with {ending}\n".encode())


if __name__ == "__main__":
    main()
