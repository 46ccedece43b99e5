"""Real processes of the product for tests: a server over a store, and clients of either."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sweepstake.config import Config
from sweepstake.connection import open_sender
from sweepstake.queue.queue import Queue
from tests.kit.postgres import free_port

__all__ = ["KINDS", "ServerProcess", "open_queue", "reached", "store_of"]

#: The four ways to reach a queue: each store, directly and through a server.
KINDS = ("sqlite", "http-sqlite", "postgres", "http-postgres")

START_SECONDS = 120.0
_SERVE = "from sweepstake.cli import main; main()"


def open_queue(address: str) -> Queue:
    """Open the queue at the URL of a store or of a server without authentication, as a client process does."""
    return Queue(open_sender(Config(url=address, token=None, state=Path(), checkpoints=Path())))


def store_of(kind: str, folder: Path, new_database: Callable[[], str]) -> str:
    """Return the URL of a new, empty store for one of the kinds."""
    return f"sqlite:///{folder}/store.db" if kind.endswith("sqlite") else new_database()


@contextlib.contextmanager
def reached(kind: str, folder: Path, new_database: Callable[[], str]) -> Iterator[str]:
    """Make a new store, with a server over it if the kind says so, and give the URL for its clients."""
    store = store_of(kind, folder, new_database)
    if not kind.startswith("http"):
        yield store
        return
    with ServerProcess(store, folder) as server:
        yield server.url


class ServerProcess:
    """`sweepstake serve` over a store, in a process of its own, on one port for all its lives.

    Attributes:
        url: where clients find it.
    """

    def __init__(self, store: str, folder: Path, *options: str, credentials: bool = False) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = folder / "server.log"
        self._environment = {**os.environ, "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        self._command = [sys.executable, "-c", _SERVE, "serve", "--store", store]
        self._command += [] if credentials else ["--no-auth"]
        self._command += ["--host", "127.0.0.1", "--port", str(self._port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        """Return what all its lives wrote to their logs."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=self._environment
            )
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        while b"http://" not in (line := self._line(deadline)):
            assert line, f"the server did not start:\n{self._log.read_text(errors='replace')}"

    def _line(self, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        return self._process.stdout.readline() if ready else b""

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or a power cut of the machine would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end, as an operator would, and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(timeout=START_SECONDS)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def __enter__(self) -> Self:
        """Start it for the length of a block."""
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()
