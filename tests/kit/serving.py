"""A real `sweepstake serve` in a process of its own, with a user who may use it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen

__all__ = ["EMAIL", "PASSWORD", "Served", "add_user", "run_sweepstake", "served", "start_server"]

EMAIL: Final = "ada@example.org"
PASSWORD: Final = "correct horse battery staple"

_SWEEPSTAKE: Final = (sys.executable, "-c", "from sweepstake.cli import main; main()")
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

    def stop(self) -> None:
        """Ask it to end, and wait until it did."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=_SECONDS_TO_STOP)


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


def start_server(store: str, token: str, *, port: int = 0, **environment: str) -> Served:
    """Start `sweepstake serve` and return when it answers."""
    command = [*_SWEEPSTAKE, "serve", "--store", store, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    for line in process.stdout:
        if found := _URL.search(line):
            return Served(found[0].rstrip("/"), token, process)
    raise RuntimeError(f"the server ended with {process.wait()} before it was ready")


@contextlib.contextmanager
def served(store: str) -> Iterator[Served]:
    """Serve a store, with a new user, for the length of the block."""
    server = start_server(store, add_user(store))
    try:
        yield server
    finally:
        server.stop()
