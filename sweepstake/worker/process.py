"""A command that runs in a process group of its own."""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
        out: takes its standard output, on the thread that waits.
        err: takes its standard error, on the same one.
        inherited: open files that it keeps, beside those for its output.

    Raises:
        OSError: it cannot be started, or this machine has no room for what waits for its end.
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
            [_native(argument) for argument in arguments],
            env=_variables(environment),
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
        self._streams = _Streams([(self._process.stdout, out), (self._process.stderr, err)])
        try:
            self._end = _end_of(self._process)
        except (OSError, RuntimeError) as error:
            self.group.kill()
            self._process.wait()
            self._streams.close()
            raise (no_room(error) if isinstance(error, RuntimeError) else error) from error

    def wait(self) -> int:
        """Wait for the command and for its output, and end what it left behind; return its exit code.

        What is left of a command that was asked to end has the rest of its grace time. Call it once.
        """
        try:
            self._streams.read_until(self._end)
            code = self._process.wait()
            self.group.forget()
            while (left := self.group.patient_until - time.monotonic()) > 0 and self.group.send(0):
                self._streams.read(min(left, _LOOK))
                if self._killed.wait(0.0 if self._streams.left else min(left, _LOOK)):
                    break
            if not self.group.patient_until:
                self._streams.read(_AFTERMATH)
            self.group.send(signal.SIGKILL)
            self._streams.read(_AFTERMATH)
        except BaseException:  # nobody waits any more
            self.group.send(signal.SIGKILL)
            self._process.wait()
            raise
        finally:
            os.close(self._end)
            self._streams.close()
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


def _native(text: str) -> bytes:
    """Return text as a process gets it, whatever the locale; bytes that came from outside are as they were."""
    return text.encode("utf-8", "surrogateescape")


def _variables(environment: Mapping[str, str]) -> Mapping[str, str] | Mapping[bytes, bytes]:
    """Return variables so that a process gets them as `_native` says."""
    if (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()) == ("utf-8", "surrogateescape"):
        return environment  # they are encoded so where the process is started
    return {_native(name): _native(value) for name, value in environment.items()}


def no_room(error: RuntimeError) -> OSError:
    """Return the OSError that says what Python's error for a thread that could not be started means."""
    return OSError(errno.EAGAIN, f"{error}; raise the limits of processes and memory, or run less at once")


class _Streams:
    """Streams that are read in turn by whoever waits, so that what is kept stands nearly in the order it was written.

    Args:
        streams: each with what takes its bytes.
    """

    def __init__(self, streams: Sequence[tuple[IO[bytes], Sink]]) -> None:
        self._open = {stream.fileno(): (stream, sink) for stream, sink in streams}
        self._ready = select.poll()
        for descriptor in self._open:
            self._ready.register(descriptor, select.POLLIN)

    @property
    def left(self) -> bool:
        """Whether one of them has not ended."""
        return bool(self._open)

    def read_until(self, end: int) -> None:
        """Hand on what comes until there is something to read from a descriptor."""
        self._ready.register(end, select.POLLIN)
        while end not in self._hand_on(None):
            pass
        self._ready.unregister(end)

    def read(self, seconds: float) -> None:
        """Hand on what comes within so many seconds, at most until all streams have ended."""
        until = time.monotonic() + seconds
        while self._open and (left := until - time.monotonic()) > 0:
            self._hand_on(left)

    def close(self) -> None:
        """Read no more."""
        for descriptor in list(self._open):
            self._drop(descriptor)

    def _hand_on(self, seconds: float | None) -> list[int]:
        """Wait for something to read, and hand it on; return which descriptors had something."""
        found = [each for each, _ in self._ready.poll(None if seconds is None else math.ceil(1000 * seconds))]
        for descriptor in found:
            if descriptor not in self._open:
                continue
            data = os.read(descriptor, _CHUNK)
            if data:
                self._open[descriptor][1](data)
            else:
                self._drop(descriptor)
        return found

    def _drop(self, descriptor: int) -> None:
        self._ready.unregister(descriptor)
        self._open.pop(descriptor)[0].close()


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """Return a descriptor from which something can be read once a process has ended.

    Raises:
        OSError: this machine has too many open files.
        RuntimeError: it has no room for another thread.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel that knows no such call, or a sandbox that forbids it
            return os.pidfd_open(process.pid)
    reader, writer = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(writer)

    try:
        threading.Thread(target=wait, name="sweepstake-command", daemon=True).start()
    except RuntimeError:
        os.close(reader)
        os.close(writer)
        raise
    return reader
