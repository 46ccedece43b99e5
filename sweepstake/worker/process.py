"""A command that runs in a process group of its own."""

from __future__ import annotations

import errno
import logging
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final, Literal

__all__ = ["Group", "Process", "end_outliving", "no_room", "start_timer"]

#: Seconds that output may keep coming after the command itself has ended.
_AFTERMATH: Final = 2.0
#: Seconds between two looks whether a process group is gone.
_LOOK: Final = 0.05
#: Seconds that ending what outlives a command may take.
_PATIENCE: Final = 60.0
_CHUNK: Final = 64 * 1024

_logger = logging.getLogger(__name__)

Sink = Callable[[bytes], None]


class Group:
    """A process group, which is asked to end before it is killed.

    Attributes:
        number: its id.
        patient_until: the moment of the monotonic clock up to which it has time to end; 0 until it is asked to.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.patient_until = 0.0
        self._lock = threading.Lock()
        self._over = False
        self._killer: threading.Timer | None = None

    def end(self, grace: float) -> None:
        """Ask it to end (SIGTERM), and kill it if it has not after `grace` seconds."""
        with self._lock:
            if self._over:
                return
            self.send(signal.SIGTERM)
            if self._killer is None:
                self.patient_until = time.monotonic() + grace
                self._killer = start_timer(grace, self.kill)

    def kill(self) -> None:
        """Kill it at once."""
        with self._lock:
            if not self._over:
                self.send(signal.SIGKILL)

    def forget(self) -> None:
        """Leave it alone from now on, as its command has ended."""
        with self._lock:
            self._over = True
            if self._killer is not None:
                self._killer.cancel()

    def send(self, number: signal.Signals | Literal[0]) -> bool:
        """Send a signal, or only look (0); tell whether there was a process to get it."""
        try:
            os.killpg(self.number, number)
        except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of which only zombies are left
            return False
        return True


class Process:
    """A running command: its output goes to sinks, its whole process group can be ended.

    Args:
        arguments: the command.
        environment: all of its environment variables.
        out: takes its standard output, on another thread.
        err: takes its standard error, on the same one.
        inherited: open files that it keeps, beside those for its output.

    Raises:
        OSError: it cannot be started, or this machine has no room for another thread.
        ValueError: an argument or variable holds a NUL character.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        out: Sink,
        err: Sink,
        inherited: Sequence[int] = (),
    ) -> None:
        self._process = subprocess.Popen(
            [_utf8(argument) for argument in arguments],
            env={_utf8(name): _utf8(value) for name, value in environment.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
            pass_fds=inherited,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.group = Group(self._process.pid)
        self._killed = threading.Event()
        try:
            self._pump = _pump([(self._process.stdout, out), (self._process.stderr, err)])
        except RuntimeError as error:
            self.group.kill()
            self._process.wait()
            raise no_room(error) from error

    def wait(self) -> int:
        """Wait for the command and for its output, and end what it left behind; return its exit code.

        What is left of a command that was asked to end has the rest of its grace time.
        """
        code = self._process.wait()
        self.group.forget()
        while (left := self.group.patient_until - time.monotonic()) > 0 and self.group.send(0):
            if self._killed.wait(min(left, _LOOK)):
                break
        if not self.group.patient_until:
            self._pump.join(_AFTERMATH)
        self.group.send(signal.SIGKILL)
        self._pump.join(_AFTERMATH)
        return code

    def end(self, grace: float) -> None:
        """Ask the process group to end (SIGTERM), and kill it if it has not after `grace` seconds."""
        self.group.end(grace)

    def kill(self) -> None:
        """Kill the process group at once."""
        self._killed.set()
        self.group.kill()


def end_outliving(ending: Sequence[str]) -> None:
    """Run what ends processes that are in no group of ours, such as those of a container; nothing if it is empty."""
    if not ending:
        return
    try:
        subprocess.run(ending, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        _logger.warning("%s: %s", " ".join(ending), error)


def start_timer(seconds: float, do: Callable[[], None]) -> threading.Timer:
    """Call a function after so many seconds, unless the timer is cancelled or the process ends.

    Raises:
        RuntimeError: this machine has no room for another thread.
    """
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()
    return timer


def _utf8(text: str) -> bytes:
    """Return text as a process gets it, whatever the locale; bytes that came from outside are as they were."""
    return text.encode("utf-8", "surrogateescape")


def no_room(error: RuntimeError) -> OSError:
    """Return the OSError that says what Python's error for a thread that could not be started means."""
    return OSError(errno.EAGAIN, f"{error}; raise the limits of processes and memory, or run less at once")


def _pump(streams: Sequence[tuple[IO[bytes], Sink]]) -> threading.Thread:
    """Read the streams in turn on one thread, so that what is kept stands nearly in the order it was written."""

    def run() -> None:
        with selectors.DefaultSelector() as ready:
            for stream, sink in streams:
                ready.register(stream, selectors.EVENT_READ, sink)
            while ready.get_map():
                for key, _ in ready.select():
                    data = os.read(key.fd, _CHUNK)
                    if data:
                        key.data(data)
                    else:
                        ready.unregister(key.fileobj)
        for stream, _ in streams:
            stream.close()

    thread = threading.Thread(target=run, name="sweepstake-output", daemon=True)
    thread.start()
    return thread
