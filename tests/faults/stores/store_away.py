"""F14: the store is away for ten minutes while jobs end, and some of their workers do not live to see it again."""

import threading
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from sweepstake import Database, Experiment
from sweepstake.config import Config
from sweepstake.connection import connect_with
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.spool import Spool, address_of
from tests.faults.fault import SERVED, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.faults.stores.gate import Gate
from tests.kit.clocks import FastClock
from tests.kit.lab import Lab, eventually
from tests.kit.stack import open_queue

__all__ = ["FAULT"]

#: Ten minutes in two seconds.
_FACTOR: Final = 300.0
_AWAY_SECONDS: Final = 600.0
#: Jobs that one process runs side by side.
_LANES: Final = 5
_PATIENCE: Final = 60.0


def work(talk: "Connection[Any, Any]", url: str, state: str, name: str) -> None:
    """Run some jobs side by side; end them all when told to."""
    with _connect(url, Path(state)) as database:
        experiment = database.get_experiment(name)
        begun, ending = threading.Barrier(_LANES + 1), threading.Event()
        lanes = [threading.Thread(target=_run_one, args=(experiment, begun, ending)) for _ in range(_LANES)]
        for lane in lanes:
            lane.start()
        begun.wait(_PATIENCE)
        talk.send("running")
        talk.recv()
        ending.set()
        for lane in lanes:
            lane.join()


def _connect(url: str, state: Path) -> Database:
    clock = FastClock(_FACTOR)
    return connect_with(Config(url=url, token=None, state=state, checkpoints=state), clock, clock.sleep)


def _run_one(experiment: Experiment, begun: threading.Barrier, ending: threading.Event) -> None:
    with experiment.next_job() as job:
        begun.wait(_PATIENCE)
        ending.wait(_PATIENCE)
        job.results["i"] = job.hyperparameters["i"]


def end_while_away(place: Place, size: int) -> Figures:
    """Let `size` jobs end while the store is away; kill half of their workers before it is back."""
    queue = open_queue(place.url)
    lab = Lab.new(queue)
    ids = lab.add_many(size)
    state = place.folder / "state"
    with ExitStack() as stack:
        stack.callback(queue.close)
        gate = stack.enter_context(Gate(place.url))
        spool = Spool.of(state / "spool", address_of(gate.url))
        hands = [stack.enter_context(Hand(work, gate.url, str(state), lab.name)) for _ in range(size // _LANES)]
        for hand in hands:
            assert hand.hear(_PATIENCE) == "running"
        gate.shut()
        back = time.monotonic() + _AWAY_SECONDS / _FACTOR
        for hand in hands:
            hand.say("end")
        eventually(lambda: len(spool.waiting()) == size or None, within=_PATIENCE)
        dead, alive = hands[::2], hands[1::2]
        for hand in dead:
            hand.kill()
        time.sleep(max(0.0, back - time.monotonic()))  # the outage lasts as long as it lasts
        gate.open()
        for hand in alive:
            hand.end(_PATIENCE)
        with _connect(gate.url, state) as database:
            eventually(lambda: _call(database, lab.name, spool), within=_PATIENCE)
        _check(lab, ids)
    return {"jobs that ended": size, "workers killed": len(dead), "delivered once": size, "lost or twice": 0}


def _check(lab: Lab, ids: list[str]) -> None:
    for job_id in ids:
        record = lab.job(job_id)
        assert (record.status, record.results) == (JobStatus.DONE, record.hyperparameters), record
        assert [attempt.outcome for attempt in lab.attempts(job_id)] == [Outcome.DONE], lab.attempts(job_id)


def _call(database: Database, name: str, spool: Spool) -> bool | None:
    """Make some call, and tell whether the spool is empty after it."""
    database.get_experiment(name)
    return not spool.waiting() or None


FAULT = Fault(
    number="F14",
    words="the store is away for 10 minutes (of a clock that is fast) when jobs end, and half of their workers are "
    "killed meanwhile",
    holds="each report is delivered once",
    run=end_while_away,
    unit="jobs",
    small=20,
    full=100,
    small_kinds=("http-sqlite",),
    full_kinds=("postgres", *SERVED),
)
