"""Calls that end several jobs at once, made side by side on PostgreSQL: none ever waits for one that waits for it."""

import random
import threading
import time
from contextlib import ExitStack, closing, suppress

from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.errors import ClientRequestError
from sweepstake.queue.queue import Queue
from tests.kit.history import check_history
from tests.kit.lab import Lab, document, draft, new_key, spec
from tests.kit.stores import open_store

#: How long the calls are made.
_SECONDS = 4.0
_CLIENTS = 6
GANG = {
    "name": "both",
    "replicas": 3,
    "propagateFailure": True,
    "propagatePreemption": True,
    "synchronizedStartTimeout": "50ms",
}
_ENDS = (Outcome.CRASHED, Outcome.PREEMPTED, Outcome.RELEASED, Outcome.DONE)


class Crew:
    """Clients that work on one experiment, and what they hold."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._random = random.Random(seed)
        self._claims: list[Claim] = []
        self._made = 0
        self.errors: list[Exception] = []

    def work(self, queue: Queue, until: float) -> None:
        """Make calls, one after another."""
        acts = (
            self._claim,
            self._claim,
            self._finish,
            self._finish,
            self._beat,
            self._beat,
            self._stop,
            self._settle,
            self._prune,
            self._ask,
            self._put,
            self._retry,
            self._delete,
        )
        while time.monotonic() < until and not self.errors:
            try:
                with suppress(ClientRequestError):  # what it held is over by now
                    self._random.choice(acts)(Lab(queue, self._name))
            except Exception as error:  # noqa: BLE001 -- a thread ends here, and the test shows it
                self.errors.append(error)

    def _claim(self, lab: Lab) -> None:
        found = lab.queue.claim_jobs(self._name, "w", self._random.randint(1, 3), offer=Offer(cpu=3)).claims
        self._claims.extend(found)
        if not found:
            self.add(lab)

    def add(self, lab: Lab) -> None:
        """Add a gang, and jobs and a gang that wait for it and are pruned with it."""
        self._made += 1
        gang = f"{self._made} {new_key()}"
        lab.add(*(draft(f"{gang} {rank}", task="both", gang=gang, rank=rank) for rank in range(3)))
        lab.add(*(draft(depends_on=(f"{gang} {rank}",), prune_with=True) for rank in range(3)))
        after = f"after {gang}"
        lab.add(
            *(
                draft(
                    f"{after} {rank}",
                    task="both",
                    gang=after,
                    rank=rank,
                    prune_with=True,
                    depends_on=(f"{gang} {rank}",),
                )
                for rank in range(3)
            )
        )

    def _held(self) -> list[str]:
        """Return one of the jobs that were claimed last, if any was."""
        return [self._random.choice(self._claims[-9:]).job.id] if self._claims else []

    def _finish(self, lab: Lab) -> None:
        if held := self._claims[-9:]:
            lab.finish(self._random.choice(held), self._random.choice(_ENDS))

    def _beat(self, lab: Lab) -> None:
        lab.queue.heartbeat([claim.key for claim in self._claims[-9:]])

    def _stop(self, lab: Lab) -> None:
        if self._random.random() < 0.1:
            lab.queue.stop(self._name, key=new_key())

    def _ask(self, lab: Lab) -> None:
        for job in self._held():
            lab.queue.get_gang(self._name, job)

    def _put(self, lab: Lab) -> None:
        status = self._random.choice((JobStatus.DONE, JobStatus.QUEUED, JobStatus.CRASHED))
        for job in self._held():
            lab.put(job, document(status))

    def _retry(self, lab: Lab) -> None:
        for job in self._held():
            lab.retry(job)

    def _delete(self, lab: Lab) -> None:
        for job in self._held() if self._random.random() < 0.2 else ():
            lab.delete(job)

    def _prune(self, lab: Lab) -> None:
        for job in self._held():
            lab.prune(job)

    def _settle(self, lab: Lab) -> None:
        lab.ask()


def test_calls_that_end_several_jobs_never_wait_for_each_other(postgres_url: str) -> None:
    """Claims, ends, losses, stops and puts of gangs, with heartbeats: PostgreSQL has no deadlock to resolve."""
    with ExitStack() as stack:
        queues = [stack.enter_context(closing(open_store(postgres_url))) for _ in range(_CLIENTS)]
        lab = Lab.new(queues[0], lease=0.3, max_lost=1, max_attempts=2, max_preemptions=2)
        lab.queue.put_spec(lab.name, spec(GANG))
        crew = Crew(lab.name, 1)
        crew.add(lab)
        until = time.monotonic() + _SECONDS
        threads = [threading.Thread(target=crew.work, args=(queue, until)) for queue in queues]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if crew.errors:
        raise crew.errors[0]
    check_history(postgres_url)
