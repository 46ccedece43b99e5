"""`Here`: has calls answered by a store of this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from sweepstake.clock import Clock
from sweepstake.files import Shelf
from sweepstake.queue.call import Call
from sweepstake.queue.store import Store, performers
from sweepstake.queue.verbs import adding, batches, blocked, experiments, jobs, listing, putting, requeueing, why
from sweepstake.queue.verbs.access import shares, tokens, users
from sweepstake.queue.verbs.attempts import claiming, finishing, heartbeats, kept, offering, several
from sweepstake.queue.verbs.moving import exporting, importing
from sweepstake.queue.verbs.tasks import gangs, room, specs, stopping, workers
from sweepstake.stores.engine import Engine

__all__ = ["PERFORMERS", "Here"]

A = TypeVar("A")

#: What does each verb, by its class.
PERFORMERS: Final = performers(
    (
        adding,
        batches,
        blocked,
        claiming,
        experiments,
        exporting,
        finishing,
        gangs,
        heartbeats,
        importing,
        jobs,
        kept,
        listing,
        offering,
        putting,
        requeueing,
        room,
        several,
        shares,
        specs,
        stopping,
        tokens,
        users,
        why,
        workers,
    )
)


class Here:
    """Has calls answered by a store of this process: finds what does the verb, and lets it.

    Args:
        engine: the database; closed with this.
        clock: tells how long it has been open.
        files: see `Store`.
        serving: see `Store`.

    Attributes:
        identity: which store it is; see `Sender.identity`.
    """

    def __init__(self, engine: Engine, clock: Clock, *, files: Shelf | None = None, serving: bool = False) -> None:
        self.store = Store(engine, clock, files=files, serving=serving)
        self.identity: Final = engine.identity

    def send(self, call: Call[A]) -> A:
        """Have a call answered."""
        answer: A = PERFORMERS[type(call)](self.store, call)
        return answer

    def performer(self, kind: type[Call[A]]) -> Callable[[Call[A]], A]:
        """Return what answers the calls of one verb: `send`, with the verb found before there is a call."""
        return partial(PERFORMERS[kind], self.store)

    def close(self) -> None:
        """Close the database."""
        self.store.engine.close()
