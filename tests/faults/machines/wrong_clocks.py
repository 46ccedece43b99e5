"""F7: workers whose clocks are an hour off, and step backwards all the time."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

import sweepstake
from sweepstake.domain.status import Outcome
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.kit.lab import GRACE_SECONDS, Lab
from tests.kit.stack import open_queue

__all__ = ["FAULT"]

_LEASE = 2.0
_HOLD = 2 * _LEASE
_AT_ONCE = 8
_HOUR = 3600.0
#: How far a clock steps back, at most, each time it is read.
_STEP = 2.0
#: A heartbeat comes three times a lease, so a lease that was just kept lasts two thirds longer; less on a busy machine.
_EARLIEST = _LEASE / 3


@contextmanager
def _wrong(seed: int) -> Iterator[None]:
    """Let the machine's clock be an hour ahead or behind, and step back with every look at it."""
    chance, real = random.Random(seed), time.time
    off = [_HOUR if seed % 2 else -_HOUR]

    def now() -> float:
        off[0] -= chance.random() * _STEP
        return real() + off[0]

    with patch.object(time, "time", now), patch.object(time, "time_ns", lambda: int(now() * 1e9)):
        yield


def hold(talk: "Connection[Any, Any]", url: str, name: str, seed: int) -> None:
    """Claim a job, say which, and end it when told to."""
    with _wrong(seed), sweepstake.connect(url) as database, database.get_experiment(name).next_job() as job:
        talk.send(job.job_id)
        talk.recv()
        job.results["by"] = "the holder"


def seek(talk: "Connection[Any, Any]", url: str, name: str, seed: int) -> None:
    """Claim and end whatever can be had until nothing runs and nothing is queued; say when each was claimed."""
    with _wrong(seed), sweepstake.connect(url) as database:
        experiment = database.get_experiment(name)
        talk.send(None)
        while (counts := experiment.counts()).running + counts.ready:
            try:
                job = experiment.next_job(wait=0.5)
            except sweepstake.NoJobError:
                continue
            talk.send((job.job_id, time.monotonic()))
            with job:
                job.results["by"] = "the seeker"


def mislead(place: Place, size: int) -> Figures:
    """Let `size` workers hold jobs for two leases while others seek; then half of the holders die, and half report."""
    queue = open_queue(place.url)
    waits = [
        late for batch in range(0, size, _AT_ONCE) for late in _batch(Lab.new(queue, lease=_LEASE), place.url, batch)
    ]
    queue.close()
    return {
        "holders": size,
        "lost before they died": 0,
        "earliest claim after the death (s)": min(waits),
        "latest claim after the lease (s)": max(waits) - _LEASE,
    }


def _batch(lab: Lab, url: str, seed: int) -> list[float]:
    """Return how long after the death of its holder each job was claimed."""
    lab.add_many(_AT_ONCE)
    with ExitStack() as stack:
        hands = [stack.enter_context(Hand(hold, url, lab.name, seed + i)) for i in range(_AT_ONCE)]
        held = {hand.hear(): hand for hand in hands}
        seekers = [stack.enter_context(Hand(seek, url, lab.name, seed + i)) for i in range(2)]
        for seeker in seekers:
            assert seeker.hear() is None
        until = time.monotonic() + _HOLD
        for seeker in seekers:
            assert not seeker.talk.poll(max(0.0, until - time.monotonic())), f"taken from its holder: {seeker.hear()}"
        # In turn, so that half of each are of clocks that are ahead.
        dying, living = (dict(list(held.items())[half::4]) | dict(list(held.items())[half + 1 :: 4]) for half in (0, 2))
        died = {job_id: hand.kill() for job_id, hand in dying.items()}
        for hand in living.values():
            hand.say("end")
            hand.end()
        claimed = dict(word for seeker in seekers for word in iter(seeker.hear, None))
        assert set(claimed) == set(died), f"the seekers had {claimed}, and {died} died"
        _check(lab, set(died))
        waits = [claimed[job_id] - died[job_id] for job_id in died]
        assert min(waits) >= _EARLIEST, f"claimed {min(waits):.2f} s after its holder died"
        assert max(waits) <= _LEASE + GRACE_SECONDS, f"claimed only {max(waits):.2f} s after its holder died"
        return waits


def _check(lab: Lab, died: set[str]) -> None:
    for job in lab.jobs():
        outcomes = [attempt.outcome for attempt in lab.attempts(job.id)]
        wanted = [Outcome.LEASE_LOST, Outcome.DONE] if job.id in died else [Outcome.DONE]
        assert outcomes == wanted, f"{job.id}: {outcomes}"
        by = "the seeker" if job.id in died else "the holder"
        assert job.results.decode() == {"by": by}, job


FAULT = Fault(
    number="F7",
    words="workers whose clocks are an hour ahead or behind, and step backwards",
    holds="no lease ends early, none is missed",
    run=mislead,
    unit="holders",
    small=_AT_ONCE,
    full=40,
    full_kinds=(*DIRECT, *SERVED),
    clock_error=10 * _HOUR,
)
