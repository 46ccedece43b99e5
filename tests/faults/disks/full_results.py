"""F24: the disk is full on which a store keeps what tasks leave."""

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Final

import sweepstake
from sweepstake.domain.status import Outcome
from tests.faults.disks.shims import can_compile, compiled
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import Lab
from tests.kit.shell import Shell
from tests.kit.tasks import put_task

__all__ = ["FAULT"]

_WORKER: Final = ("worker", "e", "--no-container", "--slots", "cpus=1,gpus=0", "--idle", "0")


def fill_disk(place: Place, size: int) -> Figures:
    """Let the disk be full when each of `size` jobs ends, then let there be room, and look what became of it.

    On a file the worker meets the disk itself: it gives the job back, and ends. Through a server it is told to wait.
    """
    if not can_compile():
        return {"jobs": 0}
    full = {
        "LD_PRELOAD": str(compiled("faulty_disk", place.folder)),
        "FAULTY_PATH": str(place.folder / "store.db-files"),
        "FAULTY_AFTER": "0",
        "FAULTY_CALLS": "1000000" if place.server is None else "1",
        "FAULTY_ERRNO": str(errno.ENOSPC),
    }
    state = {"SWEEPSTAKE_STATE": str(place.folder / "state")}
    shells = closing(Shell(place.url, {**state, **full})), closing(Shell(place.url, state))
    with shells[0] as meets, shells[1] as has_room, sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("e"))
        put_task(experiment.session.queue, "e", "echo $BEAKER_JOB_ID > /out/x; echo said")
        for number in range(size):
            job_id = Lab(experiment.session.queue, "e").add_one(task="main")
            if place.server is None:
                _meet(meets, experiment, job_id, place.folder / "state")
            else:
                os.environ.update(full)
                place.server.stop()
                place.server.start()
                for name in full:
                    del os.environ[name]
            assert "jobs run: 1 done" in has_room.run(*_WORKER).stderr
            job = experiment.get_job(job_id)
            there = job.fetch(place.folder / f"there{number}")
            assert ((there / "x").read_text(), job.log()) == (f"{job_id}\n", "said\n")
            assert job.attempts()[-1].outcome is Outcome.DONE
    return {"jobs": size, "DONE without their files": 0}


def _meet(shell: Shell, experiment: sweepstake.Experiment, job_id: str, state: Path) -> None:
    told = shell.run(*_WORKER, code=1).stderr
    assert "No space left on device" in told, told
    job = experiment.get_job(job_id)
    (attempt,) = job.attempts()
    assert (job.status, attempt.outcome) == ("QUEUED", Outcome.RELEASED)
    assert "it is in" in attempt.reason, attempt.reason
    assert [path.read_text() for path in state.rglob("x") if job_id in str(path)] == [f"{job_id}\n"]


FAULT = Fault(
    number="F24",
    words="the disk is full on which a store keeps what tasks leave",
    holds="no attempt is DONE whose files are not kept; what it left is where its reason says, and another is DONE "
    "once there is room",
    run=fill_disk,
    unit="jobs",
    small=1,
    full=20,
    small_kinds=("sqlite",),
    full_kinds=("sqlite", "http-sqlite"),
)
