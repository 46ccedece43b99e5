"""Whether the files of a SQLite store are still the ones that were opened."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweepstake.stores.sqlite.place import SqlitePlace


@pytest.fixture
def place(tmp_path: Path) -> SqlitePlace:
    """The place of a file of 1000 bytes and its log."""
    path = tmp_path / "store.db"
    path.write_bytes(b"x" * 1000)
    Path(f"{path}-wal").touch()
    return SqlitePlace(path, path)


@pytest.fixture
def _many_turns() -> Iterator[None]:
    """Let threads take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_a_file_that_shrank_is_another(place: SqlitePlace, tmp_path: Path) -> None:
    """Nothing of ours makes it smaller."""
    assert place.look() is None
    os.truncate(tmp_path / "store.db", 999)
    assert "was truncated while it was in use" in (place.look() or "")
    assert place.lost


@pytest.mark.usefixtures("_many_turns")
def test_a_file_may_grow_while_threads_look(place: SqlitePlace, tmp_path: Path) -> None:
    """One that saw it before it grew, and goes on after another has seen it larger, does not take it for truncated."""
    over = threading.Event()

    def grow() -> None:
        size = 1000
        while not over.is_set():
            size += 1
            os.truncate(tmp_path / "store.db", size)

    def look(_: int) -> set[str | None]:
        return {place.look() for _ in range(3000)}

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            seen = set().union(*pool.map(look, range(4)))
    finally:
        over.set()
        thread.join()
    assert seen == {None}
