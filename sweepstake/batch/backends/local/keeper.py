"""The process that keeps an allocation of this machine: it outlives who submitted it, and ends it at its limit."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from sweepstake.batch.backends.allocations import AllocationState
from sweepstake.batch.backends.inside import ALLOCATION
from sweepstake.batch.backends.local.identity import identity_of
from sweepstake.batch.backends.local.kept import Asked, Began, Ended, is_over, read, script_in, write
from sweepstake.batch.backends.local.line import take_room
from sweepstake.folders import native
from sweepstake.worker.process import Group

__all__ = ["command_line", "main"]

#: Seconds between two looks at what an allocation waits for, growing from the first to the last.
_LOOKS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


def command_line(folders: Sequence[Path]) -> list[str]:
    """Return the command that starts a keeper for the allocation in each of these folders, and ends at once."""
    begin = "from sweepstake.batch.backends.local.keeper import main; main()"
    return [sys.executable, "-c", begin, *map(str, folders)]


def main() -> None:
    """Leave a process behind for each folder that is named, once it can be found there."""
    for name in sys.argv[1:]:
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            _be_keeper(native(name), writer)
        os.close(writer)
        os.read(reader, 1)  # ends once the keeper is written down, or dead
        os.close(reader)


def _be_keeper(folder: Path, ready: int) -> NoReturn:
    """Keep the allocation in a folder to its end, and exit."""
    try:
        write(folder, "ended", _kept(folder, ready))
    except Exception as error:  # noqa: BLE001 -- the process ends here, and whoever looks must be told how
        traceback.print_exc()
        write(folder, "ended", Ended(state=AllocationState.FAILED, code=None, reason=str(error)))
    finally:
        os._exit(0)  # and not through what the process that was forked would do at its end


def _kept(folder: Path, ready: int) -> Ended:
    """Leave the session of who submits, and return how the allocation has ended once it has."""
    asked = read(folder, "asked", Asked)
    assert asked is not None, "its submitter wrote it"
    os.setsid()
    log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, to in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, to)
    signals = _Signals()
    _write_process(folder, "keeper", os.getpid())
    os.close(ready)
    return _wait(folder, asked, signals) or _run(folder, asked, signals)


def _wait(folder: Path, asked: Asked, signals: _Signals) -> Ended | None:
    """Wait for others to end, and then for room; return how the allocation ended if somebody ends it before."""
    looks = 0
    while not (all(is_over(folder.with_name(each)) for each in asked.after) and take_room(folder)):
        if signal.SIGTERM in signals.wait(_LOOKS[min(looks, len(_LOOKS) - 1)]):
            return Ended(state=AllocationState.CANCELLED, code=None)
        looks += 1
    return None


def _run(folder: Path, asked: Asked, signals: _Signals) -> Ended:
    """Run the script to its end, or to that of its time, and end what it leaves behind."""
    process = subprocess.Popen(
        ["/bin/sh", script_in(folder)],
        stdin=subprocess.DEVNULL,
        env={**os.environ, ALLOCATION: folder.name},
        start_new_session=True,
    )
    until = time.monotonic() + asked.time_limit
    group = Group(process.pid)
    state: AllocationState | None = None
    _write_process(folder, "command", process.pid)
    while process.poll() is None:
        heard = signals.wait(None if state else max(0.0, until - time.monotonic()))
        if state is None and (signal.SIGTERM in heard or time.monotonic() >= until):
            state = AllocationState.CANCELLED if signal.SIGTERM in heard else AllocationState.TIMEOUT
            group.end(asked.grace)
    group.forget()
    group.send(signal.SIGKILL)
    code = process.returncode
    if state is not None:
        return Ended(state=state, code=code)
    if code == 0:
        return Ended(state=AllocationState.DONE, code=code)
    return Ended(state=AllocationState.FAILED, code=code, reason=f"signal {-code}" if code < 0 else f"exit code {code}")


def _write_process(folder: Path, name: str, pid: int) -> None:
    found = identity_of(pid)
    if found is not None:  # what has ended already needs no name
        write(folder, name, Began(pid=pid, began=found.began, at=time.time()))


class _Signals:
    """The signals that this process gets: that it shall end, and that its command has."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        for each in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(each, lambda _number, _frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait(self, seconds: float | None) -> frozenset[int]:
        """Wait for a signal, at most so many seconds; return those that came."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return frozenset(os.read(self._reader, 1024)) if ready else frozenset()
