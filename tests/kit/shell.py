"""The `sweepstake` command as a process of its own, and in the process of a test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from attrs import field, frozen

from sweepstake.cli.main import run_app
from tests.kit.checkout import ROOT

_COMMAND = [sys.executable, "-c", "from sweepstake.cli import main; main()"]


@frozen
class Shell:
    """A place to give commands from.

    Attributes:
        url: the store that the commands use.
        environment: variables beyond those of the test.
    """

    url: str
    environment: dict[str, str] = field(factory=dict)
    _started: list["subprocess.Popen[str]"] = field(factory=list, init=False, repr=False)

    def start(
        self, *arguments: str, stdin: int | IO[str] | IO[bytes] = subprocess.DEVNULL, encoding: str = "utf-8"
    ) -> "subprocess.Popen[str]":
        """Start the command and return it while it runs."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SWEEPSTAKE_URL": self.url, **self.environment}
        with _hearing():
            process = subprocess.Popen(
                [*_COMMAND, *arguments],
                env=environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding=encoding,
                process_group=0,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def run(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end, check its exit code, and that no traceback reached the terminal."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, (process.returncode, out, err)
        assert "Traceback" not in err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def _hearing() -> Iterator[None]:
    """Let what is started hear the signals of a terminal, also if the tests do not, as those behind `nohup` or `&`."""
    deaf = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in deaf:
            signal.signal(number, signal.SIG_IGN)


@frozen
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@frozen
class Command:
    """Runs the command in this process."""

    url: str
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0) -> Ran:
        """Run it and check its exit code."""
        self.capture.readouterr()
        found = run_app(["--url", self.url, *arguments])
        out, err = self.capture.readouterr()
        assert found == code, (found, out, err)
        assert "Traceback" not in err
        return Ran(found, out, err)
