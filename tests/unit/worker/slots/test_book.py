"""A book of slots, alone, and two of one host beside each other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.slots.book import Book, Share
from sweepstake.worker.slots.locks import GpuLocks, lock_folder
from sweepstake.worker.slots.room import Room, Slots

SLOTS = Slots(cpus=8.0, gpus=("4", "5"), memory=100)


@pytest.fixture
def locks(tmp_path: Path) -> Iterator[GpuLocks]:
    """Locks of a host of this test's own."""
    locks = GpuLocks(tmp_path)
    yield locks
    locks.close()


@pytest.fixture
def book(locks: GpuLocks) -> Book:
    """A book that keeps room after 10 s."""
    return Book(SLOTS, locks, patience=10.0)


def take(book: Book, room: Room, now: float = 0.0) -> Share | None:
    """Take a share as a worker does."""
    book.open(now)
    try:
        return book.take(room)
    finally:
        book.close()


def test_gpus_are_handed_out_by_number_and_once(book: Book) -> None:
    """A third one is not there until the first is given back."""
    first = take(book, Room(gpus=1))
    second = take(book, Room(gpus=1))
    assert first is not None
    assert second is not None
    assert (first.gpus, second.gpus) == (("4",), ("5",))
    assert take(book, Room(gpus=1)) is None
    book.give_back(first)
    third = take(book, Room(gpus=1))
    assert third is not None
    assert third.gpus == ("4",)


def test_processors_and_memory_are_counted(book: Book) -> None:
    """What does not fit changes nothing."""
    assert take(book, Room(cpus=7.5, memory=60)) is not None
    assert take(book, Room(cpus=1.0)) is None
    assert take(book, Room(memory=41)) is None
    assert book.free == Room(cpus=0.5, gpus=2, memory=40)
    assert take(book, Room(cpus=0.5, memory=40)) is not None


def test_gpus_of_another_worker_are_not_offered(book: Book, tmp_path: Path) -> None:
    """Until it lets go of them, or its book is closed."""
    other = GpuLocks(tmp_path)
    assert other.lock("4")
    assert book.open(0.0).gpus == 1
    assert book.take(Room(gpus=2)) is None
    book.close()
    assert other.lock("5")
    other.unlock("4")
    assert book.open(0.0).gpus == 1
    book.close()
    other.close()
    assert book.open(0.0).gpus == 2
    book.close()


def test_what_was_opened_and_not_taken_is_free_for_others(book: Book, tmp_path: Path) -> None:
    """While a book is open nobody else can take its GPUs."""
    other = GpuLocks(tmp_path)
    book.open(0.0)
    assert not other.lock("4")
    book.close()
    assert other.lock("4")
    other.close()


def test_room_is_kept_for_a_job_that_waited(book: Book) -> None:
    """Before its patience is over, small jobs overtake it; after that nothing begins that stands in its way."""
    large = Room(cpus=8.0)
    first = take(book, Room(cpus=1.0))
    assert first is not None
    book.waits(large, 100.0)
    assert book.open(109.0).cpus == 7.0
    book.close()
    second = take(book, Room(cpus=1.0), 109.0)
    assert second is not None
    book.waits(large, 109.0)
    assert book.open(110.0).cpus == 0.0
    book.close()
    book.give_back(first)
    assert book.open(120.0).cpus == 0.0
    book.close()
    book.give_back(second)
    assert book.open(130.0).cpus == 8.0
    assert book.take(large) is not None
    book.close()


def test_room_beside_the_one_that_waits_is_offered(book: Book) -> None:
    """A job that needs both GPUs keeps no processors from others that it does not need itself."""
    first = take(book, Room(cpus=1.0, gpus=1))
    assert first is not None
    book.waits(Room(cpus=2.0, gpus=2), 0.0)
    assert book.open(10.0) == Room(cpus=5.0, gpus=0, memory=100)
    book.close()


def test_the_time_of_the_next_one_that_waits_begins_anew(book: Book) -> None:
    """And nobody waits for what this machine does not have at all."""
    book.waits(Room(cpus=8.0), 0.0)
    book.waits(Room(cpus=7.0), 9.0)
    assert not book.keeps(10.0)
    assert book.keeps(19.0)
    book.waits(Room(cpus=9.0), 20.0)
    assert not book.keeps(1000.0)
    book.waits(None, 21.0)
    assert not book.keeps(1000.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 9), st.integers(0, 60)), max_size=60))
def test_no_gpu_is_ever_had_twice(steps: list[tuple[bool, int, int, int]]) -> None:
    """Whatever begins and ends, nothing is handed out that is not there, and all comes back."""

    class AllFree:
        def lock(self, gpu: str) -> bool:
            del gpu
            return True

        def unlock(self, gpu: str) -> None:
            del gpu

    slots = Slots(cpus=8.0, gpus=tuple("0123"), memory=100)
    book = Book(slots, AllFree())
    shares: list[Share] = []
    for gives, gpus, cpus, memory in steps:
        if gives and shares:
            book.give_back(shares.pop(gpus % len(shares)))
        share = take(book, Room(cpus=cpus, gpus=gpus, memory=memory))
        shares += [share] if share else []
        had = [gpu for each in shares for gpu in each.gpus]
        assert len(had) == len(set(had))
        assert slots.room.holds(book.used)
    for share in shares:
        book.give_back(share)
    assert book.free == slots.room


def test_locks_lie_in_a_folder_of_this_user() -> None:
    """It is the same whatever the home is."""
    folder = lock_folder()
    assert folder == lock_folder()
    assert folder.stat().st_uid == os.geteuid()
    assert folder.stat().st_mode & 0o077 == 0


#: Starts: takes a GPU, and tells if somebody else has it at the same time.
RACER = """
import os, random, sys, time
from pathlib import Path
from sweepstake.worker.slots.book import Book
from sweepstake.worker.slots.locks import GpuLocks
from sweepstake.worker.slots.room import Room, Slots
folder, starts = Path(sys.argv[1]), int(sys.argv[2])
book = Book(Slots(cpus=9.0, gpus=("0", "1", "2")), GpuLocks(folder / "locks"))
done = doubles = 0
while done < starts:
    book.open(0.0)
    share = book.take(Room(gpus=1))
    book.close()
    if share is None:
        time.sleep(random.random() / 5000)
        continue
    try:
        os.close(os.open(folder / share.gpus[0], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        doubles += 1
    else:
        time.sleep(random.random() / 5000)
        os.unlink(folder / share.gpus[0])
    book.give_back(share)
    done += 1
print(doubles)
"""


def test_two_workers_never_share_a_gpu(tmp_path: Path) -> None:
    """Real processes with a book each, on three GPUs: a GPU that is had is a file that nobody else can make.

    How many starts there are in all is said by SWEEPSTAKE_TEST_STARTS.
    """
    starts = int(os.environ.get("SWEEPSTAKE_TEST_STARTS", "200")) // 4
    (tmp_path / "locks").mkdir()
    command = [sys.executable, "-c", RACER, str(tmp_path), str(starts)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [racer.communicate(timeout=120)[0] for racer in racers] == ["0\n"] * 4


def test_a_gpu_stays_locked_while_a_command_lives_whose_worker_was_killed(tmp_path: Path) -> None:
    """The command has inherited the lock; the kernel lets go of it with the command."""
    script = f"""
import os, signal, subprocess, sys
from pathlib import Path
from sweepstake.worker.slots.locks import GpuLocks
locks = GpuLocks(Path({str(tmp_path)!r}))
assert locks.lock("0")
child = subprocess.Popen(["sleep", "100"], pass_fds=[locks.descriptor("0")], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    worker = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    child = int(worker.stdout)
    locks = GpuLocks(tmp_path)
    assert not locks.lock("0")
    os.kill(child, 9)
    for _ in range(1000):
        if locks.lock("0"):
            break
        os.sched_yield()
    else:
        pytest.fail("the lock outlives the command")
    locks.close()


def test_a_worker_that_gives_a_gpu_back_frees_it_whatever_its_command_left(tmp_path: Path) -> None:
    """What has slipped out of the command's group must not block the GPU for ever."""
    locks, other = GpuLocks(tmp_path), GpuLocks(tmp_path)
    assert locks.lock("0")
    with subprocess.Popen(["sleep", "100"], pass_fds=[locks.descriptor("0")]) as left:
        locks.unlock("0")
        assert other.lock("0")
        left.kill()
    other.close()
