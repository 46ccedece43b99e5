"""F11: a SQLite file whose writers are killed, whose disk is full, and whose disk fails."""

import ctypes
import errno
import logging
import multiprocessing
import multiprocessing.connection
import os
import random
import sqlite3
import sys

from sweepstake.domain.status import JobStatus
from sweepstake.errors import StoreUnavailableError
from sweepstake.stores.sqlite import log as sqlitelog
from tests.faults.disks.shims import can_compile, compiled
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.scripts import run_script
from tests.kit.stack import open_queue

__all__ = ["FAULT", "check_file"]

#: Kills to each full disk, and to each failing one.
_KILLS_TO_A_DISK = 25
#: The most calls of the system that go well before the disk fails; opening a store takes a few dozen.
_MOST_CALLS = 300
_SECONDS = 120.0


def harm_files(place: Place, size: int) -> Figures:
    """Kill `size` writers in their writes, and let a writer meet a full and a failing disk, a part as often each."""
    queue = open_queue(place.url)
    lab = Lab.new(queue)
    dice = random.Random(11)
    wanted: dict[str, str] = {}
    begun = sum(_kill(place.url, lab.name, dice, wanted) for _ in range(size))
    disks = max(1, size // _KILLS_TO_A_DISK) if can_compile() else 0
    failures = {
        number: [_fail_disk(place, lab.name, number, dice, wanted) for _ in range(disks)]
        for number in (errno.ENOSPC, errno.EIO)
    }
    jobs = {job.id: job for job in lab.jobs()}
    for job_id, text in wanted.items():
        assert (jobs[job_id].status, jobs[job_id].results.decode()) == (JobStatus.DONE, {"text": text})
    assert lab.record().created == len(jobs)
    queue.close()
    return {
        "kills": size,
        "kills within a write": begun,
        "full disks": len(failures[errno.ENOSPC]),
        "failing disks": len(failures[errno.EIO]),
        "calls refused": sum(refused for each in failures.values() for refused, _ in each),
        "syncs failed": sum(made_up for each in failures.values() for _, made_up in each),
        "writes acknowledged": len(wanted),
        "lost": 0,
    }


def check_file(url: str) -> None:
    """Ask SQLite whether the file is whole."""
    path = url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    answer = connection.execute("pragma integrity_check").fetchall()
    connection.close()
    assert answer == [("ok",)], answer


def _kill(url: str, name: str, dice: random.Random, wanted: dict[str, str]) -> bool:
    """Kill a writer at any moment, and tell whether it was in a write."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.disks.faulty_files"])
    writer = context.Process(target=_write, args=(url, name, theirs), daemon=True)
    writer.start()
    theirs.close()
    begun = ""
    for _ in range(dice.randrange(2, 12)):
        assert ours.poll(_SECONDS), "a writer hangs"
        begun = _note(ours.recv(), wanted, begun)
    ours.poll(dice.random() * 0.004)  # into the write
    writer.kill()
    writer.join()
    while ours.poll():
        try:
            begun = _note(ours.recv(), wanted, begun)
        except EOFError:
            break
    ours.close()
    check_file(url)
    return bool(begun)


def _note(message: tuple[str, str], wanted: dict[str, str], begun: str) -> str:
    """Keep what was acknowledged; return the write that is under way."""
    job_id, text = message
    if text:
        wanted[job_id] = text
    return "" if job_id == begun else job_id


def _write(url: str, name: str, told: "multiprocessing.connection.Connection[tuple[str, str], None]") -> None:
    """Write until somebody ends it, and tell what begins and what is acknowledged."""
    lab = Lab(open_queue(url), name)
    while True:
        job_id, text = new_key(), "x" * 5_000 + new_key()
        told.send((job_id, ""))
        lab.add(draft(job_id))
        lab.put(job_id, document(JobStatus.DONE, results={"text": text}))
        told.send((job_id, text))


_SCRIPT = """
import sys
from tests.faults.disks.faulty_files import write_over_failures
write_over_failures(*sys.argv[1:])
"""


def _fail_disk(place: Place, name: str, number: int, dice: random.Random, wanted: dict[str, str]) -> tuple[int, int]:
    """Let the disk fail for some calls of the system; return how many writes it refused, and how many syncs failed."""
    environment = {
        "LD_PRELOAD": str(compiled("faulty_disk", place.folder)),
        "FAULTY_PATH": place.url.removeprefix("sqlite:///"),
        "FAULTY_AFTER": str(dice.randrange(_MOST_CALLS)),
        "FAULTY_CALLS": str(dice.randrange(1, 8)),
        "FAULTY_ERRNO": str(number),
    }
    script = run_script(_SCRIPT, place.url, name, seconds=_SECONDS, **environment)
    assert (script.stderr, script.returncode) == ("", 0), script.stderr
    *lines, heard = script.stdout.splitlines()
    for line in lines:
        job_id, text = line.split()
        wanted[job_id] = text
    refused, made_up, failed = map(int, heard.split())
    assert failed == int(environment["FAULTY_CALLS"])
    check_file(place.url)
    return refused, made_up


def write_over_failures(url: str, name: str) -> None:
    """Write until the disk has failed and works again; a refusal says that the store could not answer, and why.

    A sync that fails is made up for if it can be, and only logged. Nothing is heard of a failure in SQLite's own time,
    such as when it copies its log to the file: it does so again later.
    """
    disk = ctypes.CDLL(None)  # what was loaded before the system's own library
    calls = int(os.environ["FAULTY_CALLS"])
    reasons: list[str] = []
    made_up = _Failures()
    logging.getLogger(sqlitelog.__name__).addHandler(made_up)
    after = 0
    lab = None
    while after < 20:
        job_id, text = new_key(), "x" * 5_000 + new_key()
        try:
            lab = lab or Lab(open_queue(url), name)
            lab.add(draft(job_id))
            lab.put(job_id, document(JobStatus.DONE, results={"text": text}))
        except StoreUnavailableError as error:
            reasons.append(str(error))
        else:
            after += disk.failed_calls() == calls
            sys.stdout.write(f"{job_id} {text}\n")
    assert all(url.removeprefix("sqlite:///") in reason for reason in reasons), reasons
    sys.stdout.write(f"{len(reasons)} {made_up.count} {disk.failed_calls()}\n")


class _Failures(logging.Handler):
    """Counts syncs that failed."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


FAULT = Fault(
    number="F11",
    words="writers of a SQLite file are killed in a write; a part as often each, the disk is full, or fails",
    holds="the file is whole, what was acknowledged is in it, and what is refused is refused with the reason",
    run=harm_files,
    unit="kills",
    small=3,
    full=500,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
)
