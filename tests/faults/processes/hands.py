"""Processes that work for a fault, and that are killed, stopped and continued."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kit.crew import context
from tests.kit.lab import WAIT_SECONDS, eventually

__all__ = ["Hand", "stand_still"]


class Hand:
    """A process that does `do(connection, *arguments)`, and talks with us through that connection.

    Args:
        do: a function of a module; it is found by name in the new process.
        arguments: what it is given, after its end of the connection.
    """

    def __init__(self, do: Callable[..., None], *arguments: Any) -> None:
        ours, theirs = context().Pipe()
        self.talk: Connection[Any, Any] = ours
        self._process = context().Process(target=do, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def hear(self, within: float = WAIT_SECONDS) -> Any:
        """Return what it says next; None if it ended without a word more."""
        assert self.talk.poll(within), f"not a word within {within:g} s"
        with suppress(EOFError, ConnectionResetError):
            return self.talk.recv()
        return None

    def say(self, word: Any) -> None:
        """Tell it something."""
        self.talk.send(word)

    def stop(self) -> None:
        """Stop it; see `stand_still`."""
        assert self._process.pid is not None
        stand_still(self._process.pid)

    def go_on(self) -> None:
        """Let it go on after `stop`."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> float:
        """End it with SIGKILL, and return the monotonic time just before."""
        before = time.monotonic()
        self._process.kill()
        self._process.join(WAIT_SECONDS)
        self.talk.close()
        return before

    @property
    def exitcode(self) -> int | None:
        """How it ended: minus the signal that killed it; None while it runs."""
        return self._process.exitcode

    def join(self, within: float = WAIT_SECONDS) -> None:
        """Wait until it ended, however it did."""
        self._process.join(within)

    def end(self, within: float = WAIT_SECONDS) -> None:
        """Wait until it ended well."""
        self._process.join(within)
        assert self._process.exitcode == 0, f"a process ended with {self._process.exitcode}"
        self.talk.close()

    def __enter__(self) -> Self:
        """Have it for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it if it still runs."""
        if self._process.exitcode is None:
            self.kill()


def stand_still(pid: int) -> None:
    """Stop a process, as by a suspended machine, and return when it stands still.

    It holds no file's lock then: whoever is stopped in his turn on a SQLite file keeps it until he goes on.
    """
    state = Path(f"/proc/{pid}/stat")
    while True:
        os.kill(pid, signal.SIGSTOP)
        if not state.exists():
            return
        eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "T" or None)
        if not _has_locks(pid):
            return
        os.kill(pid, signal.SIGCONT)


def _has_locks(pid: int) -> bool:
    """Tell whether a process has a lock of a store that it shares with nobody; its locks of whole files are no such."""
    locks = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(words[1] != "FLOCK" and words[3:5] == ["WRITE", str(pid)] for words in locks)
