"""Commands in process groups of their own; every command here is a real one."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweepstake.worker.process import Process
from tests.kit.lab import eventually


class Started:
    """A process that a thread waits for, and what it has written."""

    def __init__(self, script: str) -> None:
        self.out = b""
        self.err = b""
        self.spoke = threading.Event()
        self.process = Process([sys.executable, "-c", script], dict(os.environ), self._out, self._err)
        self._code = ThreadPoolExecutor(1).submit(self.process.wait)

    def wait(self) -> int:
        """Return the exit code once the process has ended."""
        return self._code.result(60)

    def _out(self, data: bytes) -> None:
        self.out += data
        self.spoke.set()

    def _err(self, data: bytes) -> None:
        self.err += data


def gone(pid: int) -> bool:
    """Tell whether no process has this id, but for one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_output_and_exit_code_are_complete() -> None:
    """Both streams arrive whole, apart from each other, before the exit code is returned."""
    started = Started("import sys; print('o' * 200_000); print('e', file=sys.stderr); sys.exit(7)")
    assert started.wait() == 7
    assert started.out == b"o" * 200_000 + b"\n"
    assert started.err == b"e\n"


def test_input_is_empty() -> None:
    """A command that asks for input gets none instead of waiting for ever."""
    started = Started("import sys; print(repr(sys.stdin.read()))")
    assert started.wait() == 0
    assert started.out == b"''\n"


def test_ending_asks_first() -> None:
    """A command may clean up and choose its exit code when it is asked to end."""
    script = (
        "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(75))\nprint('ready', flush=True)\nsignal.pause()"
    )
    started = Started(script)
    assert started.spoke.wait(30)
    started.process.end(grace=30)
    assert started.wait() == 75


def test_ending_does_not_ask_for_ever() -> None:
    """A command that ignores the question is killed after the grace time."""
    script = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: signal.pause()"
    started = Started(script)
    assert started.spoke.wait(30)
    started.process.end(grace=0.1)
    assert started.wait() == -9


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_what_a_command_leaves_behind_is_ended() -> None:
    """A child that outlives its command holds neither us nor the machine's memory."""
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "print(child.pid, flush=True)"
    )
    started = Started(script)
    assert started.wait() == 0
    eventually(lambda: gone(int(started.out)))


def test_what_is_left_of_a_command_has_the_rest_of_the_grace_time() -> None:
    """Workers of a launcher that dies at once may still save what they have."""
    child = (
        "import os, signal, sys, threading\n"
        "def save(*_):\n    threading.Event().wait(0.3); os.write(1, b'saved '); sys.exit()\n"
        "signal.signal(15, save)\nos.write(1, b'ready ')\nwhile True: signal.pause()"
    )
    started = Started(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()")
    assert started.spoke.wait(30)
    started.process.end(grace=30)
    assert started.wait() == -15
    assert started.out == b"ready saved "


def test_ending_what_has_ended_does_nothing() -> None:
    """Late signals are harmless."""
    started = Started("")
    assert started.wait() == 0
    started.process.end(grace=0.01)
    started.process.kill()


def test_a_command_that_is_not_there_raises() -> None:
    """What cannot be started is an OSError for the caller to tell of."""
    with pytest.raises(FileNotFoundError):
        Process(["/nonexistent/command"], {}, len, len)  # type: ignore[arg-type]  # never called
