"""A store of this process, and a server, as tests hold them."""

from collections.abc import Sequence

from sweepstake.clock import Clock, SystemClock
from sweepstake.domain.access import Access, Role
from sweepstake.domain.addresses import exact
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import JobRecord
from sweepstake.files import Shelf, open_shelf
from sweepstake.http import HttpSender
from sweepstake.queue.calls import GetAccess, ShareExperiment, UnshareExperiment
from sweepstake.queue.here import Here
from sweepstake.queue.queue import Queue
from sweepstake.queue.store import Store
from sweepstake.queue.verify import Ledger
from sweepstake.stores import open_engine
from sweepstake.stores.engine import Engine
from sweepstake.wire.credentials import NewShare

__all__ = ["Kept", "open_store", "remote_queue"]


class Kept(Queue, Store):
    """A store of this process: its queue, and what verbs need of it.

    Attributes:
        here: what answers.
        ledger: the history.
    """

    def __init__(self, engine: Engine, clock: Clock, *, files: Shelf | None = None, serving: bool = False) -> None:
        self.here = Here(engine, clock, files=files, serving=serving)
        Queue.__init__(self, self.here)
        Store.__init__(self, engine, clock, files=files, serving=serving)
        self.ledger = Ledger(engine)

    def share(self, address: str, email: str, role: Role | None) -> None:
        """Share an experiment with a user in a role; None: no more."""
        if role is None:
            self.send(UnshareExperiment(name=exact(address), email=email))
        else:
            self.send(ShareExperiment(name=exact(address), email=email, share=NewShare(role)))

    def get_access(self, address: str) -> Access:
        """Return whose an experiment is."""
        return self.send(GetAccess(name=exact(address)))

    def jobs(self, name: str, query: JobQuery | None = None) -> Sequence[JobRecord]:
        """Return the first jobs of an experiment by age."""
        return self.list_jobs(name, query or JobQuery()).items


def open_store(url: str, clock: Clock | None = None, *, serving: bool = False) -> Kept:
    """Open the store at a URL, with a clock of one's own if need be, as a server does if that is asked for."""
    clock = clock or SystemClock()
    engine = open_engine(url, clock)
    return Kept(engine, clock, files=open_shelf(url, engine.identity, None), serving=serving)


def remote_queue(url: str, token: str | None = None) -> Queue:
    """Return the queue of a server; each call is tried once."""
    return Queue(HttpSender(url, token))
