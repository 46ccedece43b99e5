"""A store of this process, and a server, as tests hold them."""

from collections.abc import Sequence

from sweepstake.clock import Clock, SystemClock
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import JobRecord
from sweepstake.http import HttpSender
from sweepstake.queue.accounts import Accounts
from sweepstake.queue.here import Here
from sweepstake.queue.queue import Queue
from sweepstake.queue.verify import Ledger
from sweepstake.stores import open_engine
from sweepstake.stores.engine import Engine

__all__ = ["Kept", "open_store", "remote_queue"]


class Kept(Queue, Accounts):
    """A store of this process: its queue and its users.

    Attributes:
        here: what answers.
        ledger: the history.
    """

    def __init__(self, engine: Engine, clock: Clock, *, serving: bool = False) -> None:
        self.here = Here(engine, clock, serving=serving)
        Queue.__init__(self, self.here)
        Accounts.__init__(self, engine)
        self.ledger = Ledger(engine)

    def jobs(self, name: str, query: JobQuery | None = None) -> Sequence[JobRecord]:
        """Return the first jobs of an experiment by age."""
        return self.list_jobs(name, query or JobQuery()).items


def open_store(url: str, clock: Clock | None = None, *, serving: bool = False) -> Kept:
    """Open the store at a URL, with a clock of one's own if need be, as a server does if that is asked for."""
    clock = clock or SystemClock()
    return Kept(open_engine(url, clock), clock, serving=serving)


def remote_queue(url: str, token: str | None = None) -> Queue:
    """Return the queue of a server; each call is tried once."""
    return Queue(HttpSender(url, token))
