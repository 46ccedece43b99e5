"""Real processes of the product for tests: a server over a store, and clients of either."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sweepstake.config import Config
from sweepstake.connection import open_sender
from sweepstake.queue.queue import Queue
from tests.kit.postgres import free_port
from tests.kit.serving import Served, start_server

__all__ = ["KINDS", "ServerProcess", "open_queue", "reached", "store_of"]

#: The four ways to reach a queue: each store, directly and through a server.
KINDS = ("sqlite", "http-sqlite", "postgres", "http-postgres")


def open_queue(address: str, files: str | None = None) -> Queue:
    """Open the queue at the URL of a store or of a server without authentication, as a client process does."""
    return Queue(open_sender(Config(url=address, token=None, state=Path(), checkpoints=Path(), files=files)))


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
    options = [] if kind.endswith("sqlite") else ["--files", str(folder / "files")]
    with ServerProcess(store, folder, *options) as server:
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
        self._store = store
        self._options = options if credentials else ("--no-auth", *options)
        self._served: Served | None = None

    def log(self) -> str:
        """Return what all its lives wrote to their logs."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, and return once it answers."""
        environment = {"HOME": str(self._log.parent), "PYTHONUNBUFFERED": "1"}
        self._served = start_server(self._store, "", *self._options, port=self._port, log=self._log, **environment)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or a power cut of the machine would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end, as an operator would, and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        served, self._served = self._served, None
        return 0 if served is None else served.stop(how)

    def __enter__(self) -> Self:
        """Start it for the length of a block."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()
