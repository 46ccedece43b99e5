"""F16: whatever is done in whatever order, checked after every step against a model."""

import time

from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.lab import eventually
from tests.stack import open_queue
from tests.walks.machine import walk
from tests.walks.walker import LEASE_SECONDS, Walker

__all__ = ["FAULT", "settling"]

_STEPS = 20
#: In the normal run of the tests, which shall be quick.
_QUICK_STEPS = 8


def settling(place: Place) -> None:
    """Return once the store settles leases: it, and the server over it, have been up for one."""
    started = time.monotonic()
    if place.kind != "sqlite":
        eventually(lambda: time.monotonic() - started > LEASE_SECONDS or None)


def wander(place: Place, size: int) -> Figures:
    """Take so many walks, each in an experiment of its own."""
    settling(place)
    queue, quiet = open_queue(place.url), open_queue(place.store)
    walkers: list[Walker] = []

    def start() -> Walker:
        walkers.append(Walker(queue, quiet, place.store))
        return walkers[-1]

    quick = size < FAULT.full and place.kind != "sqlite"
    walk(start, walks=size, steps=_QUICK_STEPS if quick else _STEPS)
    quiet.close()
    queue.close()
    return {
        "calls": sum(walker.calls for walker in walkers),
        "attempts": sum(len(walker.claims) for walker in walkers),
        "leases lost": sum(walker.model.lost for walker in walkers),
        "disagreements": 0,
    }


FAULT = Fault(
    number="F16",
    words="calls in any order, repeated and delivered late, while leases and delays run out",
    holds="after every call the store is where a small model is",
    run=wander,
    unit="walks",
    small=50,
    full=5_000,
    small_kinds=(*DIRECT, *SERVED),
    full_kinds=(*DIRECT, *SERVED),
)
