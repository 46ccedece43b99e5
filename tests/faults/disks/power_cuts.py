"""F21: the power is cut while threads write to a SQLite file, on a disk that may fail to sync."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from attrs import define, field

from sweepstake.clock import SystemClock
from sweepstake.domain.status import JobStatus
from sweepstake.errors import StoreUnavailableError
from sweepstake.stores.sqlite.engine import SqliteEngine
from sweepstake.stores.sqlite.log import sync_file
from sweepstake.stores.urls import SqliteUrl, parse_store_url
from tests.faults.disks.faulty_files import check_file
from tests.faults.disks.shims import can_compile, compiled
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.stack import open_queue
from tests.kit.stores import Kept

__all__ = ["FAULT", "Machine"]

_THREADS: Final = 4
#: How many cuts one file meets; after each, all its jobs are looked at.
_CUTS_TOGETHER: Final = 20
_SECONDS: Final = 60.0


def cut_often(place: Place, size: int) -> Figures:
    """Cut the power `size` times, and find in the file what was acknowledged before."""
    place.judged.clear()  # nothing is kept in the place itself
    if not can_compile():
        return {"cuts": 0}
    dice = random.Random(21)
    kept = undone = failed = 0
    for first in range(0, size, _CUTS_TOGETHER):
        machine = Machine.new(place.folder / f"cut-{first}.db")
        for _ in range(first, min(first + _CUTS_TOGETHER, size)):
            cut = machine.cut(dice, failing=dice.choice([0, 0, 2]))
            undone, failed = undone + cut.undone, failed + cut.failed
            assert machine.lost() == []
        kept += len(machine.wanted)
        place.judged.append(machine.url)
    return {
        "cuts": size,
        "syncs failed": failed,
        "jobs acknowledged": kept,
        "writes of the system undone": undone,
        "lost": 0,
    }


class Cut(NamedTuple):
    """What the disk did: how many writes of the system were undone, and how many syncs had failed."""

    undone: int
    failed: int


@define(kw_only=True)
class Machine:
    """A machine with a store on its disk, of which nothing is open while its power is off.

    Attributes:
        path: the store's file.
        name: of its experiment.
        wanted: the text in the results of each job whose end was acknowledged.
    """

    path: Path
    name: str
    wanted: dict[str, str] = field(factory=dict)

    @classmethod
    def new(cls, path: Path) -> Self:
        """Make the store and an experiment."""
        with closing(open_queue(f"sqlite:///{path}")) as queue:
            return cls(path=path, name=Lab.new(queue).name)

    @property
    def url(self) -> str:
        """The store's URL."""
        return f"sqlite:///{self.path}"

    def cut(self, dice: random.Random, *, failing: int = 0, syncing: bool = True) -> Cut:
        """Let a process write until the power is cut.

        Args:
            dice: choose the moment, and what is undone.
            failing: of a hundred syncs, how many fail.
            syncing: False for a store that acknowledges without a sync of its own.
        """
        shim = compiled("forgetful_disk", self.path.parent)
        seconds, seed, percent = dice.uniform(0.01, 0.4), dice.randrange(1 << 30), dice.choice([50, 100])
        command = [sys.executable, "-m", "tests.faults.disks.power_cuts", self.url, self.name, str(int(syncing))]
        writer = subprocess.run(
            [*command, str(seconds), str(seed), str(percent)],
            env={
                **os.environ,
                "LD_PRELOAD": str(shim),
                "FORGETFUL_PATH": str(self.path),
                "FORGETFUL_FAILS": str(failing),
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert writer.returncode == 0, writer.stderr
        lines = [line.split() for line in writer.stdout.splitlines()]
        self.wanted.update({line[0]: line[1] for line in lines if line[0] != "="})
        (cut,) = [Cut(int(line[1]), int(line[2])) for line in lines if line[0] == "="]
        return cut

    def lost(self) -> list[str]:
        """Return the jobs that do not have the results that were acknowledged; the file must be whole."""
        check_file(self.url)
        with closing(open_queue(self.url)) as queue:
            jobs = {job.id: (job.status, job.results.decode()) for job in Lab(queue, self.name).jobs()}
        return [job_id for job_id, text in self.wanted.items() if jobs.get(job_id) != (JobStatus.DONE, {"text": text})]


def _write_until_cut(store: str, name: str, syncing: str, seconds: str, seed: str, percent: str) -> None:
    """Write from several threads, say what was acknowledged, and cut the power."""
    place, clock = parse_store_url(store), SystemClock()
    assert isinstance(place, SqliteUrl)
    sync = sync_file if int(syncing) else lambda descriptor: None
    lab = Lab(Kept(SqliteEngine(place.path, clock, sync), clock), name)
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
        with suppress(StoreUnavailableError):  # the disk failed
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
    full=300,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
)

if __name__ == "__main__":
    _write_until_cut(*sys.argv[1:])
