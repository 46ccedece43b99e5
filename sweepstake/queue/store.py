"""`Store`: what every verb needs of the place where experiments and jobs are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

from sweepstake.clock import Clock
from sweepstake.domain.addresses import check_reference, choose, known_address, names_to_look_for
from sweepstake.domain.keys import name_of
from sweepstake.domain.names import MAX_NAME, existing_name
from sweepstake.files import Shelf
from sweepstake.queue.addresses import standings
from sweepstake.queue.call import Call
from sweepstake.queue.policies import Policies
from sweepstake.stores.engine import Engine, Transaction

__all__ = ["Store", "performers", "performs"]

A = TypeVar("A")
F = TypeVar("F", bound=Callable[["Store", Any], Any])


def performs(kind: type[Call[Any]]) -> Callable[[F], F]:
    """Say of a function which verb it does: it takes the store and the call, and returns the answer."""

    def mark(perform: F) -> F:
        perform.__dict__["performs"] = kind  # `performers` looks for it
        return perform

    return mark


def performers(modules: Iterable[ModuleType]) -> dict[type[Call[Any]], Callable[[Store, Any], Any]]:
    """Return what does each verb, by its class, of the functions in modules."""
    functions = (each for module in modules for each in vars(module).values())
    return {each.performs: each for each in functions if hasattr(each, "performs")}


class Store:
    """A database, what was learnt of it, and how long somebody has been there to renew leases.

    Args:
        engine: the database.
        clock: tells how long the store has been open.
        files: keeps what attempts leave beside their results; None: it keeps none.
        serving: it is opened for others, who could not renew their leases before: no lease is settled until one full
            lease after.

    Attributes:
        serving: the memory is a server's, and what would fill it is refused.
        policies: the searches' policies that were made lately.
        looked: by the address of an experiment, when its overdue leases were last looked for.
    """

    def __init__(self, engine: Engine, clock: Clock, *, files: Shelf | None = None, serving: bool = False) -> None:
        self.engine = engine
        self.files = files or Shelf(None, engine.identity)
        self.read = engine.read
        self.write = engine.write
        self.policies = Policies()
        self.looked: dict[str, float] = {}
        self.monotonic = clock.monotonic
        self.wall = clock.wall
        self.serving = serving
        self._opened = clock.monotonic() if serving else -math.inf
        #: The address in the reference of the last call, as most calls of a client are about one experiment.
        self._last: tuple[str, str] | None = None
        #: Whether the store has events of before there were names; None: nobody has looked yet.
        self._kept_keys: bool | None = None

    def at(self, reference: str, job_id: str | None = None) -> str:
        """Return the address of the experiment that is meant; whoever holds the store itself sees all of them.

        Args:
            reference: of the experiment.
            job_id: of the job in it of which something is asked, if it is one.

        Raises:
            NotFoundError: there is none, or no job can have that id.
            AmbiguousNameError: there are several.
        """
        if job_id is not None and not (job_id[:1].isalnum() and job_id.isprintable() and len(job_id) <= MAX_NAME):
            existing_name(job_id, "id")  # not as almost all ids are, which costs a call less to see
        last = self._last
        if last is not None and last[0] == reference:
            return last[1]
        address = known_address(existing_name(reference, "name", check_reference))
        if address is not None:
            self._last = reference, address
            return address
        with self.read() as transaction:
            return choose(reference, standings(transaction, names_to_look_for(reference), None), None).address

    def uptime(self) -> float:
        """Return for how many seconds others could renew their leases here."""
        return self.monotonic() - self._opened

    def known(self, transaction: Transaction, key: str) -> str:
        """Return under what the store keeps a key: its name, unless it kept the key itself before it had names."""
        if self._kept_keys is None:
            self._kept_keys = transaction.row("meta", name="keys") is not None
        if self._kept_keys and transaction.row("kept_key", key=key) is not None:
            return key
        return name_of(key)
