"""F21: the power of the machine is cut while threads write to a SQLite file; what was not synced is lost, or half."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from sweepstake.domain.status import JobStatus
from sweepstake.stores import sqlitelog
from tests.faults.fault import Fault, Figures, Place
from tests.faults.faulty_files import check_file
from tests.faults.shims import can_compile, compiled
from tests.lab import Lab, document, draft, new_key
from tests.stack import open_queue

__all__ = ["FAULT", "NO_SYNC", "cut", "missing", "new_experiment"]

_THREADS: Final = 4
_SECONDS: Final = 60.0
SYNC: Final = "sync"
NO_SYNC: Final = "no sync"


def cut_often(place: Place, size: int) -> Figures:
    """Cut the power `size` times, and find in the file what was acknowledged before."""
    if not can_compile():
        return {"cuts": 0}
    name = new_experiment(place)
    dice = random.Random(21)
    wanted: dict[str, str] = {}
    undone = 0
    for _ in range(size):
        acknowledged, lost = cut(place, name, dice)
        wanted |= acknowledged
        undone += lost
        assert missing(place, name, wanted) == []
    return {"cuts": size, "writes acknowledged": len(wanted), "writes of the system undone": undone, "lost": 0}


def new_experiment(place: Place) -> str:
    """Make an experiment, and leave no connection open: a power cut ends every process."""
    with closing(open_queue(place.url)) as queue:
        return Lab.new(queue).name


def missing(place: Place, name: str, wanted: dict[str, str]) -> list[str]:
    """Return the jobs that do not have the results that were acknowledged."""
    check_file(place.store)
    with closing(open_queue(place.url)) as queue:
        jobs = {job.id: (job.status, job.results.decode()) for job in Lab(queue, name).jobs()}
    return [job_id for job_id, text in wanted.items() if jobs.get(job_id) != (JobStatus.DONE, {"text": text})]


def cut(place: Place, name: str, dice: random.Random, how: str = SYNC) -> tuple[dict[str, str], int]:
    """Let a process write until its power is cut.

    Returns:
        What was acknowledged, and how many writes of the system were undone.
    """
    path = Path(place.store.removeprefix("sqlite:///"))
    faults = {"LD_PRELOAD": str(compiled("forgetful_disk", place.folder)), "FORGETFUL_PATH": str(path)}
    seconds, seed, percent = dice.uniform(0.01, 0.4), dice.randrange(1 << 30), dice.choice([50, 100])
    command = [sys.executable, "-m", "tests.faults.power_cuts", place.store, name, how]
    writer = subprocess.run(
        [*command, str(seconds), str(seed), str(percent)],
        env={**os.environ, **faults},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert writer.returncode == 0, writer.stderr
    lines = [line.split() for line in writer.stdout.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) > 1}, sum(int(line[0]) for line in lines if len(line) == 1)


def _write_until_cut(store: str, name: str, how: str, seconds: str, seed: str, percent: str) -> None:
    """Write from several threads, say what was acknowledged, and cut the power."""
    if how == NO_SYNC:
        setattr(sqlitelog, "_sync", lambda descriptor: None)  # noqa: B010 - it is Final for everybody else
    lab = Lab(open_queue(store), name)
    dark = threading.Event()  # writes wait for ever then, and reads find anything

    def end(failure: threading.ExceptHookArgs) -> None:
        if not dark.is_set():
            threading.__excepthook__(failure)
            os._exit(1)

    threading.excepthook = end
    for _ in range(_THREADS):
        threading.Thread(target=_write, args=(lab,), daemon=True).start()
    time.sleep(float(seconds))
    dark.set()
    ctypes.CDLL(None).cut_power(int(seed), int(percent))


def _write(lab: Lab) -> None:
    while True:
        job_id, text = new_key(), "x" * 3_000 + new_key()
        lab.add(draft(job_id))
        lab.put(job_id, document(JobStatus.DONE, results={"text": text}))
        os.write(1, f"{job_id} {text}\n".encode())


FAULT = Fault(
    number="F21",
    words="the power is cut while threads write to a SQLite file: any of what was not synced is lost",
    holds="the file is whole, and what was acknowledged is in it",
    run=cut_often,
    unit="cuts",
    small=5,
    full=500,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
)

if __name__ == "__main__":
    _write_until_cut(*sys.argv[1:])
