"""The queue of writers, and processes that stand still in it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from sweepstake.errors import StoreUnavailableError
from sweepstake.stores.sqlite.filelock import FileLock
from tests.kit.crew import context
from tests.kit.lab import WAIT_SECONDS, eventually


class Writer:
    """Another process, which takes and leaves the turn as it is told."""

    def __init__(self, talk: "Connection[Any, Any]", pid: int) -> None:
        self._talk = talk
        self.pid = pid

    def stand_in_line(self) -> None:
        """Have it wait for its turn, and return when it is next."""
        self._talk.send("acquire")
        eventually(lambda: str(self.pid) in Path("/proc/locks").read_text().split() or None)

    def take(self) -> None:
        """Have it take its turn, and return when it has it."""
        self._talk.send("acquire")
        self.hear()

    def hear(self) -> None:
        """Return when it has done what it was told last."""
        assert self._talk.poll(WAIT_SECONDS), "the other process still waits"
        self._talk.recv()

    def heard(self) -> bool:
        """Tell whether it has done what it was told last."""
        return self._talk.poll(0.05)

    def leave(self) -> None:
        """Have it end its turn."""
        self._talk.send("release")
        self.hear()

    def stop(self) -> None:
        """Make it stand still."""
        os.kill(self.pid, signal.SIGSTOP)
        state = Path(f"/proc/{self.pid}/stat")
        eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "T" or None)

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


def write(talk: "Connection[Any, Any]", path: Path) -> None:
    """Take and leave the turn as the other side says."""
    lock = FileLock(path)
    while (word := talk.recv()) != "end":
        getattr(lock, word)()
        talk.send(word)


@contextmanager
def writer_of(path: Path) -> Iterator[Writer]:
    """Start a process beside this one."""
    ours, theirs = context().Pipe()
    process = context().Process(target=write, args=(theirs, path), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield Writer(ours, process.pid)
    finally:
        process.kill()
        process.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the lock."""
    return tmp_path / "store.db-lock"


@pytest.fixture
def writers(path: Path) -> Iterator[Callable[[], Writer]]:
    """Start processes that end with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(writer_of(path))


@pytest.fixture
def lock(path: Path) -> Iterator[FileLock]:
    """The lock as this process has it, with little patience."""
    made = FileLock(path, patience=2.0)
    yield made
    made.close()


def test_a_process_stopped_in_its_turn_is_named(lock: FileLock, writers: Callable[[], Writer]) -> None:
    """Others wait for as long as they have patience, and learn which process to continue or to end."""
    other = writers()
    other.take()
    other.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match=rf"Process {other.pid} .*kill -CONT {other.pid}\b"):
            lock.acquire()
    other.go_on()
    other.leave()
    lock.acquire()
    lock.release()
    other.take()


def test_whoever_waits_behind_others_learns_it_too(path: Path, writers: Callable[[], Writer]) -> None:
    """Those who came later, and threads behind other threads, are told which process is in the way."""
    other, before = writers(), writers()
    other.take()
    other.stop()
    before.stand_in_line()
    lock = FileLock(path, patience=2.5)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(lock.acquire) for _ in range(2)]
        for future in waiting:
            with pytest.raises(StoreUnavailableError, match=rf"Process {other.pid} keeps it"):
                future.result(WAIT_SECONDS)
    lock.close()


def test_a_process_stopped_in_the_line_is_overtaken(lock: FileLock, writers: Callable[[], Writer]) -> None:
    """Whoever is next and does not take its turn holds nobody up, and has its turn when it goes on."""
    first, second = writers(), writers()
    first.take()
    second.stand_in_line()
    second.stop()
    first.leave()
    lock.acquire()
    lock.release()
    soon = time.monotonic() + 1.0
    for _ in range(20):  # it is not waited for again
        time.sleep(0.03)  # longer than a process may go before the line
        lock.acquire()
        lock.release()
    assert time.monotonic() < soon + 1.0
    second.go_on()
    second.hear()
    second.leave()
    lock.acquire()


def test_those_who_wait_have_their_turns_in_order(lock: FileLock, writers: Callable[[], Writer]) -> None:
    """Whoever came first is first, and nobody who came later is let in before."""
    line = [writers() for _ in range(3)]
    lock.acquire()
    for writer in line:
        writer.stand_in_line()
    lock.release()
    for i, writer in enumerate(line):
        writer.hear()
        assert not any(later.heard() for later in line[i + 1 :])
        writer.leave()


def test_a_turn_that_came_too_late_is_left_to_others(lock: FileLock, writers: Callable[[], Writer]) -> None:
    """A process that has no more patience does not take the turn when it comes."""
    first, second = writers(), writers()
    first.take()
    with pytest.raises(StoreUnavailableError):
        lock.acquire()
    first.leave()
    second.take()


def test_threads_wait_no_longer_than_processes(lock: FileLock) -> None:
    """A turn that another thread of the same process has is not waited for without limit either."""
    lock.acquire()
    seen: list[BaseException] = []

    def ask() -> None:
        try:
            lock.acquire()
        except StoreUnavailableError as error:
            seen.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(WAIT_SECONDS)
    lock.release()
    assert "No turn to write came within 2 s" in str(seen[0])
