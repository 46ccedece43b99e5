"""A life at random: everything that clients do to an experiment, so that its history holds a bit of all."""

import random
from collections.abc import Callable

from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import ClientRequestError
from tests.kit.lab import Lab, document, draft, new_key

__all__ = ["Life"]

_REPORTS = [Outcome.DONE, Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED]


class Life:
    """Does one thing after the other to an experiment; what the queue refuses counts as done."""

    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self._lab = lab
        self._chance = chance
        self._jobs: list[str] = []
        self._claims: list[Claim] = []
        self._deeds: list[Callable[[], object]] = [
            self._add,
            self._add,
            self._add_waiting,
            self._claim,
            self._claim,
            self._finish,
            self._finish,
            self._put,
            self._prune,
            self._retry,
            self._delete,
        ]

    def step(self) -> None:
        """Do one thing."""
        if not self._jobs:
            self._add()
        try:
            self._chance.choice(self._deeds)()
        except ClientRequestError:
            return

    def _job(self) -> str:
        return self._chance.choice(self._jobs)

    def _add(self) -> None:
        status = self._chance.choice([JobStatus.QUEUED, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE])
        later = self._chance.choice([None, None, None, 4_000_000_000.0])
        self._jobs += self._lab.add(draft(of=document(status), not_before=later), draft(priority=1))

    def _add_waiting(self) -> None:
        waits_for = tuple({self._job(), self._job()})
        prunes = self._chance.random() < 0.5
        self._jobs += self._lab.add(draft(depends_on=waits_for, prune_with=prunes))

    def _claim(self) -> None:
        claim = self._lab.claimed_or_none()
        self._claims += [] if claim is None else [claim]

    def _finish(self) -> None:
        if self._claims:
            self._lab.finish(self._chance.choice(self._claims), self._chance.choice(_REPORTS))

    def _put(self) -> None:
        self._lab.put(self._job(), document(self._chance.choice([*JobStatus])))

    def _prune(self) -> None:
        self._lab.prune(self._job())

    def _retry(self) -> None:
        self._lab.queue.retry(self._lab.name, self._job(), key=new_key())

    def _delete(self) -> None:
        if self._chance.random() < 0.3:
            self._lab.delete(self._jobs.pop(self._chance.randrange(len(self._jobs))))
