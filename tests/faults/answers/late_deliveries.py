"""F5: a network that delivers writes twice, and old ones again when they mean nothing any more."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sweepstake.queue.queue import Queue
from tests.faults.answers.repeating_proxy import RepeatingProxy
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.faults.races.random_walks import settled_lease
from tests.kit.stack import open_queue
from tests.kit.walks.walker import Walker
from tests.kit.walks.wandering import Wanderer

__all__ = ["FAULT"]

_CHANCE = 0.3
#: Old writes after each new one.
_LATE = 5
#: Writes in one experiment, of which any may come again; then another begins.
_WRITES = 150


def deliver_late(place: Place, size: int) -> Figures:
    """Deliver `size` old writes again: by a proxy to a server, else by making the same calls again."""
    lease = settled_lease(place, full=size >= FAULT.full)
    quiet = open_queue(place.store)
    dice = random.Random(5)
    seen: Counter[str] = Counter()
    with _reached(place) as (queue, proxy):
        while seen["late"] < size:
            walker = Walker(queue, quiet, place.store, lease=lease, twice=proxy is not None)
            wanderer = Wanderer(walker, seed=seen["late"])
            if proxy is not None:
                proxy.written.clear()
            while len(walker.made) < _WRITES and seen["late"] < size:
                wanderer.step()
                walker.keep_leases()
                if dice.random() < 0.1:
                    walker.let_time_pass(dice.randrange(1000))
                for _ in range(_LATE if walker.made else 0):
                    refused = _deliver_one(walker, proxy, dice)
                    seen.update(["late", "refused" if refused else "answered"])
                walker.agree()
            seen["calls"] += walker.calls
            walker.close()
        seen["twice"] = proxy.twice if proxy is not None else 0
    quiet.close()
    return {
        "new calls": seen["calls"],
        "delivered twice at once": seen["twice"],
        "late": seen["late"],
        "late and refused": seen["refused"],
        "late and answered": seen["answered"],
        "with any effect": 0,
    }


@contextmanager
def _reached(place: Place) -> Iterator[tuple[Queue, RepeatingProxy | None]]:
    if place.server is None:
        queue = open_queue(place.url)
        yield queue, None
        queue.close()
        return
    with RepeatingProxy(place.url, _CHANCE, seed=5) as proxy:
        queue = open_queue(proxy.url)
        yield queue, proxy
        queue.close()


def _deliver_one(walker: Walker, proxy: RepeatingProxy | None, dice: random.Random) -> bool:
    """Deliver an old write, and tell whether it was refused."""
    if proxy is None:
        return walker.replay(dice.randrange(10**6), as_repeat=dice.random() < 0.3)
    while proxy.written[-1].key in walker.unrepeatable:
        proxy.written.pop()
    which = dice.randrange(len(proxy.written))
    if walker.forgot(proxy.written[which].key):
        return True
    status = proxy.deliver_again(which)
    walker.see_settled(must=False)
    assert status < 500
    return status >= 400


FAULT = Fault(
    number="F5",
    words="the network delivers writes twice at once, and old ones again in any order",
    holds="every one that comes late is refused, or answered as at first, and changes nothing",
    run=deliver_late,
    unit="late deliveries",
    small=150,
    full=20_000,
    small_kinds=("sqlite", "http-postgres"),
    full_kinds=(*DIRECT, *SERVED),
)
