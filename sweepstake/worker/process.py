"""A command that runs in a process group of its own."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final

__all__ = ["Process", "end_group", "no_room"]

#: Seconds that output may keep coming after the command itself has ended.
_AFTERMATH: Final = 2.0
#: Seconds between looks whether a process group is gone.
_LOOK: Final = 0.05
_CHUNK: Final = 64 * 1024

Sink = Callable[[bytes], None]


class Process:
    """A running command: its output goes to sinks, its whole process group can be ended.

    Args:
        arguments: the command.
        environment: all of its environment variables.
        out: takes its standard output, on another thread.
        err: takes its standard error, on the same one.

    Raises:
        OSError: it cannot be started, or this machine has no room for another thread.
        ValueError: an argument or variable holds a NUL character.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], out: Sink, err: Sink) -> None:
        self._process = subprocess.Popen(
            [_utf8(argument) for argument in arguments],
            env={_utf8(name): _utf8(value) for name, value in environment.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._lock = threading.Lock()
        self._over = False
        self._killer: threading.Timer | None = None
        self._killed = threading.Event()
        self._patient_until = 0.0
        try:
            self._pump = _pump([(self._process.stdout, out), (self._process.stderr, err)])
        except RuntimeError as error:
            end_group(self.group, signal.SIGKILL)
            self._process.wait()
            raise no_room(error) from error

    @property
    def group(self) -> int:
        """Id of the process group."""
        return self._process.pid

    def wait(self) -> int:
        """Wait for the command and for its output, and end what it left behind; return its exit code.

        What is left of a command that was asked to end has the rest of its grace time.
        """
        code = self._process.wait()
        with self._lock:
            self._over = True
            if self._killer is not None:
                self._killer.cancel()
        while (left := self._patient_until - time.monotonic()) > 0 and _lives(self.group):
            if self._killed.wait(min(left, _LOOK)):
                break
        if not self._patient_until:
            self._pump.join(_AFTERMATH)
        end_group(self.group, signal.SIGKILL)
        self._pump.join(_AFTERMATH)
        return code

    def end(self, grace: float) -> None:
        """Ask the process group to end (SIGTERM), and kill it if it has not after `grace` seconds."""
        with self._lock:
            if self._over:
                return
            end_group(self.group, signal.SIGTERM)
            if self._killer is None:
                self._patient_until = time.monotonic() + grace
                self._killer = threading.Timer(grace, self.kill)
                self._killer.daemon = True
                self._killer.start()

    def kill(self) -> None:
        """Kill the process group at once."""
        self._killed.set()
        with self._lock:
            if not self._over:
                end_group(self.group, signal.SIGKILL)


def _utf8(text: str) -> bytes:
    """Return text as a process gets it, whatever the locale; bytes that came from outside are as they were."""
    return text.encode("utf-8", "surrogateescape")


def no_room(error: RuntimeError) -> OSError:
    """Return what Python means by this error of a thread that could not be started."""
    return OSError(errno.EAGAIN, f"{error}; raise the limits of processes and memory, or run less at once")


def end_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group, which may be gone already."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of which only zombies are left
        return


def _lives(group: int) -> bool:
    """Tell whether there are processes in the group."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


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
