"""`sweepstake worker --batch`: a worker in an allocation of a cluster."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from attrs import frozen

from sweepstake.batch.backends.inside import allocation_of, time_left
from sweepstake.client import Experiment
from sweepstake.client.attempt.process import PROCESS
from sweepstake.domain.batches.records import MAX_NUMBER, BatchRecord, BatchStatus
from sweepstake.errors import BatchLostError, NotFoundError, SweepstakeError
from sweepstake.worker.allocation.deadline import Deadline
from sweepstake.worker.allocation.duty import BatchDuty
from sweepstake.worker.allocation.ending import note_of
from sweepstake.worker.duty import Duty
from sweepstake.worker.pacing.agenda import Summary

__all__ = ["SUBMISSION", "Begun", "begin"]


#: Seconds between two looks at whether the batch is over.
_LOOK: Final = 10.0


class _Submission(click.ParamType):  # type: ignore[type-arg]  # click 8.1 knows no parameter of it
    """A submission of a batch: the batch's id, and the number of the submission."""

    name = "ID/NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return both."""
        if isinstance(value, tuple):
            return value
        batch_id, _, number = value.rpartition("/")
        if not batch_id or not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= MAX_NUMBER:
            self.fail(f"{value!r} must be the batch's id and the number of its submission, such as 3f9a/1.", param, ctx)
        return batch_id, int(number)


SUBMISSION = _Submission()


@frozen(kw_only=True)
class Begun:
    """A batch that this allocation has begun.

    Attributes:
        experiment: whose it is.
        batch: as it was begun.
        deadline: of the allocation.
        fill: whether jobs that are not the batch's are run as well.
        tell: takes a line for people.
    """

    experiment: Experiment
    batch: BatchRecord
    deadline: Deadline
    fill: bool
    tell: Callable[[str], None]

    def duty(self, duty: Duty) -> Duty:
        """Return a duty for the batch's jobs alone."""
        return BatchDuty(duty, self.batch, self.deadline, fill=self.fill)

    @contextmanager
    def ending(self) -> Iterator[Callable[[Summary], None]]:
        """Let the store know behind the block that the batch is over; what is given takes what the worker did."""
        summaries: list[Summary] = []
        done = threading.Event()
        threading.Thread(target=self._watch, args=(done,), name="sweepstake-batch", daemon=True).start()
        try:
            yield summaries.append
        except BaseException as error:
            summaries = [Summary(failure=error)]
            raise
        finally:
            done.set()
            self._note_end(*summaries)

    def _watch(self, done: threading.Event) -> None:
        """End this worker as a scheduler does, if its batch is over meanwhile.

        Then its allocation has ended, whatever still runs of it: such as on a node of which the scheduler has heard
        nothing for a while, or after a controller forgot it. The batch may be in another by now. Where several nodes
        share one, the first that has nothing to do may note the end a moment before another goes on.
        """
        while self.batch.nodes == 1 and not done.wait(_LOOK):
            try:
                found = self.experiment.session.queue.get_batch(
                    self.experiment.reference, self.batch.id, self.batch.number
                )
            except SweepstakeError:  # who claims tells
                continue
            if found.status is BatchStatus.ENDED:
                # Who ends a batch has asked this worker just before, as a rule. Then commands are at their end, and a
                # second signal would kill them.
                if done.wait(_LOOK):
                    return
                self.tell(f"the batch {found.called}, is over{f': {found.reason}' if found.reason else ''}; ending")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _note_end(self, summary: Summary) -> None:
        queue, name, batch = self.experiment.session.queue, self.experiment.reference, self.batch
        try:
            found = queue.get_batch(name, batch.id, batch.number)
            note = note_of(found, summary, near=self.deadline.is_near(time.monotonic()))
            if note is not None:
                queue.note_batch(
                    name, batch.id, batch.number, status=note.status, allocation=note.allocation, reason=note.reason
                )
                self.tell(f"the batch {found.called}, is over: {note.reason}")
        except SweepstakeError as error:  # who asks the scheduler learns it all the same
            self.tell(f"the end of the batch {batch.called}, could not be noted: {error}")


def begin(
    experiment: Experiment, batch_id: str, number: int, *, fill: bool, tell: Callable[[str], None]
) -> Begun | None:
    """Begin a batch in this allocation; None, after telling why, if it is not for this one.

    The allocation ends when its scheduler says so, else when the batch's time is over, counted from now.
    """
    started = time.monotonic()
    PROCESS.start()
    jobid = allocation_of(os.environ) or PROCESS.worker
    queue = experiment.session.queue
    try:
        batch = queue.begin_batch(experiment.reference, batch_id, number, jobid, PROCESS.worker)
    except (BatchLostError, NotFoundError) as error:
        tell(str(error))
        return None
    limit = math.inf if batch.timeout is None else batch.timeout
    left = time_left(os.environ)
    end = started + limit if left is None else time.monotonic() + left
    if limit == math.inf and left is not None:
        limit = left
    return Begun(experiment=experiment, batch=batch, deadline=Deadline(end=end, limit=limit), fill=fill, tell=tell)
