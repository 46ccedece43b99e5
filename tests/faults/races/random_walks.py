"""F16: whatever is done in whatever order, checked after every step against a model."""

import time

from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.lab import eventually
from tests.kit.stack import open_queue
from tests.kit.walks.machine import walk
from tests.kit.walks.walker import Walker

__all__ = ["FAULT", "settled_lease"]

_STEPS = 20
#: Seconds of leases: a machine that stands still for longer than one is no fault of the store.
_SHORT, _LONG = 3.0, 20.0
#: In the normal run of the tests, which shall be quick.
_QUICK_STEPS = 8


def settled_lease(place: Place, *, full: bool) -> float:
    """Return the seconds for leases, once the store settles such: it, and a server over it, have been up for one."""
    if place.kind == "sqlite":
        return _LONG  # the clock of the machine is enough
    lease, started = (_LONG if full else _SHORT), time.monotonic()
    eventually(lambda: time.monotonic() - started > lease or None, within=_LONG * 2)
    return lease


def wander(place: Place, size: int) -> Figures:
    """Take so many walks, each in an experiment of its own."""
    lease = settled_lease(place, full=size >= FAULT.full)
    queue, quiet = open_queue(place.url), open_queue(place.store)
    walkers: list[Walker] = []

    def start() -> Walker:
        walkers.append(Walker(queue, quiet, place.store, lease=lease))
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
