"""A real `sweepstake serve` in a process of its own, with a user who may use it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

__all__ = ["EMAIL", "PASSWORD", "Served", "add_user", "run_sweepstake", "served", "start_server"]

EMAIL: Final = "ada@example.org"
PASSWORD: Final = "correct horse battery staple"

_SWEEPSTAKE: Final = (sys.executable, "-c", "from sweepstake.cli import main; main()")
_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 120.0
_SECONDS_TO_RUN = 180.0
_URL = re.compile(r"https?://[0-9.:]+[^\s?]*")


@frozen
class Served:
    """A running server.

    Attributes:
        url: its root.
        token: API token of its user.
    """

    url: str
    token: str
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.process.pid

    def with_token(self, token: str) -> Served:
        """Return the same server with another token of its user."""
        return evolve(self, token=token)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, as an operator would, and return its exit code."""
        with self.process:
            self.process.send_signal(how)
            try:
                return self.process.wait(_SECONDS_TO_STOP)
            finally:
                self.process.kill()


def run_sweepstake(*arguments: str, text: str = "", **environment: str) -> str:
    """Run a `sweepstake` command to its end with `text` on its input, and return its output."""
    done = subprocess.run(
        [*_SWEEPSTAKE, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=_SECONDS_TO_RUN,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def add_user(store: str, email: str = EMAIL, password: str = PASSWORD) -> str:
    """Add a user to a store and return the API token."""
    return run_sweepstake("user", "add", email, "--password-stdin", "--store", store, text=f"{password}\n").split()[-1]


def start_server(
    store: str, token: str, *options: str, port: int = 0, log: Path | None = None, **environment: str
) -> Served:
    """Start `sweepstake serve` and return when it answers; what it logs is added to a file, if there is one."""
    command = [*_SWEEPSTAKE, "serve", "--store", store, "--host", "127.0.0.1", "--port", str(port), *options]
    with contextlib.nullcontext() if log is None else log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        )
    assert process.stdout is not None
    late = threading.Timer(_SECONDS_TO_START, process.kill)
    late.start()
    try:
        for line in process.stdout:
            if found := _URL.search(line):
                return Served(found[0].rstrip("/"), token, process)
    except BaseException:
        process.kill()
        raise
    finally:
        late.cancel()
    said = "" if log is None else f":\n{log.read_text(errors='replace')}"
    with process:
        raise RuntimeError(f"the server ended with {process.wait()} before it was ready{said}")


@contextlib.contextmanager
def served(store: str) -> Iterator[Served]:
    """Serve a store, with a new user, for the length of the block."""
    server = start_server(store, add_user(store))
    try:
        yield server
    finally:
        server.stop()
