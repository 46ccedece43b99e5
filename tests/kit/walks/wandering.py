"""The walks that chance takes: long ones, which shall meet everything rather than be understood."""

import random
from collections.abc import Callable, Sequence

from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from tests.kit.lab import new_key
from tests.kit.walks.model import Wanted
from tests.kit.walks.walker import GUARDS, Walker

__all__ = ["Wanderer"]

_IDS = "abcdefgh"
#: How many of the new jobs wait for another.
_DEPENDENT = 0.2
_OUTCOMES = (Outcome.DONE, Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED)
_STATUSES = (*JobStatus, JobStatus.QUEUED, JobStatus.QUEUED)


class Wanderer:
    """Somebody who drives a walker by the throw of a dice.

    Args:
        walker: who makes the calls.
        seed: of the dice.
    """

    def __init__(self, walker: Walker, seed: int) -> None:
        self.walker = walker
        self._dice = random.Random(seed)
        self._steps: Sequence[tuple[Callable[[], None], int]] = (
            (self._claim, 6),
            (self._finish, 6),
            (self._add, 3),
            (self._put, 2),
            (self._put_as_holder, 1),
            (self._prune_or_retry, 2),
            (self._delete, 2),
            (self._requeue, 1),
            (self._define, 1),
            (walker.make_another, 1),
            (walker.offer, 1),
            (walker.heartbeat, 1),
        )

    def step(self) -> None:
        """Make one call, or a few."""
        steps, weights = zip(*self._steps, strict=True)
        self._dice.choices(steps, weights)[0]()

    def _claim(self) -> None:
        if self.walker.model.pick() is None and self._dice.random() < 0.5:
            self.walker.add([Wanted(new_key(), priority=self._dice.randint(-1, 1))])
        self.walker.claim()

    def _finish(self) -> None:
        if not self.walker.claims:
            return
        held = self.walker.held()
        which = self._dice.randrange(1000) if held is None or self._dice.random() < 0.1 else held
        self.walker.finish(which, self._dice.choice(_OUTCOMES), then_claim=self._dice.random() < 0.5)

    def _add(self) -> None:
        wanted = [
            Wanted(
                self._id(),
                self._dice.choice(_STATUSES),
                self._dice.randint(-1, 1),
                needs=(self._id(),) if self._dice.random() < _DEPENDENT else (),
                prune_with=self._dice.random() < _DEPENDENT,
            )
            for _ in range(self._dice.randint(1, 3))
        ]
        self.walker.add(wanted)

    def _put(self) -> None:
        self.walker.put(self._id(), self._dice.choice(_STATUSES), self._guard())

    def _put_as_holder(self) -> None:
        if self.walker.claims:
            held = self.walker.held()
            self.walker.put_as_holder(
                self._dice.randrange(1000) if held is None else held, self._dice.choice(_STATUSES)
            )

    def _prune_or_retry(self) -> None:
        self._dice.choice((self.walker.prune, self.walker.retry))(self._id())

    def _delete(self) -> None:
        self.walker.delete(self._id(), self._guard())

    def _requeue(self) -> None:
        self.walker.requeue(self._id(), self._dice.randint(-1, 1), delayed=False)

    def _define(self) -> None:
        status = ExperimentStatus.DONE if self._dice.random() < 0.1 else ExperimentStatus.RUNNING
        self.walker.define(status, self._guard(), max_running=self._dice.choice((None, None, 3)), max_attempts=2)

    def _id(self) -> str:
        """Return the id of a job that is there more often than not."""
        known = list(self.walker.model.jobs)
        return self._dice.choice(known) if known and self._dice.random() < 0.7 else self._dice.choice(_IDS)

    def _guard(self) -> str:
        return self._dice.choice((*GUARDS, "none", "none", "match"))
