"""F4: a network that loses one answer in five, after what was asked for is done."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.queue import Queue
from tests.faults.answers.persistent import persistent
from tests.faults.answers.proxy import LossyProxy
from tests.faults.fault import SERVED, Fault, Figures, Place
from tests.kit.lab import Lab, new_key
from tests.kit.stack import open_queue
from tests.kit.walks.walker import Walker
from tests.kit.walks.wandering import Wanderer

__all__ = ["FAULT"]

#: Of each answer; a call to PostgreSQL is several, and those that look after its connections count, too.
_CHANCE = 0.2
_CHANCE_OF_A_PART = 0.05
_CALLERS = 4
#: Longer than the test: nobody shall lose a lease.
_LEASE = 3600.0
#: Steps between two looks at the store.
_LOOK = 10


def lose_answers(place: Place, size: int) -> Figures:
    """Make `size` calls in all, each caller in an experiment of his own and with the others in a common one."""
    quiet = open_queue(place.store)
    common = Lab.new(quiet, lease=_LEASE)
    chance = _CHANCE_OF_A_PART if place.kind == "postgres" else _CHANCE
    with LossyProxy(place.url, chance, seed=4) as proxy:
        queues = [open_queue(proxy.url) for _ in range(_CALLERS)]
        callers = [_Caller(i, persistent(queues[i]), quiet, place.store, common.name) for i in range(_CALLERS)]
        proxy.losing = True
        with ThreadPoolExecutor(_CALLERS) as pool:
            list(pool.map(lambda caller: caller.call(size // _CALLERS), callers))
        proxy.losing = False
        for queue in queues:
            queue.close()
    runs = Counter(itertools.chain.from_iterable(caller.ran for caller in callers))
    jobs = common.jobs()
    assert runs == Counter(itertools.chain.from_iterable(caller.added for caller in callers)), "run once each"
    assert {(job.status, job.attempt) for job in jobs} == {(JobStatus.DONE, 1)}
    assert (len(jobs), common.record().created) == (len(runs), len(runs))
    quiet.close()
    assert proxy.cuts > size * _CHANCE / 2
    return {
        "calls": sum(caller.calls for caller in callers),
        "answers lost": proxy.cuts,
        "applied twice": 0,
        "false conflicts": 0,
        "left running": 0,
    }


class _Caller:
    """One who calls over the bad network, by himself and in competition."""

    def __init__(self, number: int, queue: Queue, quiet: Queue, store: str, common: str) -> None:
        self._walker = Walker(queue, quiet, store, lease=_LEASE)
        self._wanderer = Wanderer(self._walker, seed=number)
        self._common = Lab(queue, common)
        self._held: Claim | None = None
        self._competed = 0
        self.added: list[str] = []
        self.ran: list[str] = []

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return self._walker.calls + self._competed

    def call(self, most: int) -> None:
        """Make so many calls, look now and then at what they did, and end what was begun."""
        for i in itertools.count():
            if self.calls >= most:
                break
            self._wanderer.step()
            if i % 2 == 0:
                self._compete()
            if i % _LOOK == 0:
                self._walker.agree()
        while self._held is not None:
            self._compete()
        self._drain()
        self._walker.give_back()
        self._walker.agree()
        self._walker.close()

    def _compete(self) -> None:
        """Add a job for all, or run one."""
        self._competed += 1
        if self._held is None:
            self.added += self._common.add_many(1)
            self._competed += 1
            self._take(self._common.ask())
        else:
            held, self._held = self._held, None
            finished = self._common.finish(held, Outcome.DONE, next_key=new_key() if len(self.ran) % 3 else None)
            assert finished.recorded
            self._take(finished.next)

    def _take(self, answer: Claim | NoJob | None) -> None:
        if isinstance(answer, Claim):
            self._held = answer
            self.ran.append(answer.job.id)

    def _drain(self) -> None:
        while (claim := self._common.claimed_or_none()) is not None:
            self.ran.append(claim.job.id)
            self._common.finish(claim)


FAULT = Fault(
    number="F4",
    words="the network loses one answer in five, after what was asked for is done, of every verb",
    holds="nothing is done twice, nobody hears of a conflict that is none, no job is left running",
    run=lose_answers,
    unit="calls",
    small=240,
    full=20_000,
    small_kinds=SERVED[:1],
    full_kinds=("postgres", *SERVED),
)
