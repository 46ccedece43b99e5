"""Whether jobs of an experiment can be run on this machine at all, which is looked at before any is claimed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sweepstake.client import Experiment
from sweepstake.domain.tasks.needs import Offer, unmet
from sweepstake.errors import ClientRequestError, NotFoundError
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.spec import TaskSpec
from sweepstake.spec.needs import needs_of
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.run import lacking
from sweepstake.worker.tasks.specs import Specs, Tasks, check_same

__all__ = ["Fitness", "has_image"]

#: Why an experiment is passed over that has no spec.
_NO_TASKS: Final = "has no spec, so this worker, which was given no command, passes it over"
#: Seconds between two looks at what an experiment needs; and how many times as long as a look takes, at least.
_BETWEEN_LOOKS: Final = 2.0
_REST: Final = 20.0
#: So much that this machine lacks is told at once.
_MOST_TOLD: Final = 20


class Fitness:
    """Compares what specs name with what this machine has; not for several threads at once.

    What a task names that needs more than this worker has is not looked for: its jobs go to others.

    Args:
        specs: of experiments.
        slots: all that this worker has.
        stock: what tasks can have on this machine.
        is_own: whether an experiment is this user's; see `TaskDuty`.
        tell: takes a line for people.
        contains: whether tasks with an image run in containers.
    """

    def __init__(
        self,
        specs: Specs,
        slots: Offer,
        stock: Stock,
        is_own: Callable[[Experiment], bool],
        tell: Callable[[str], None],
        *,
        contains: bool,
    ) -> None:
        self._specs = specs
        self._slots = slots
        self._stock = stock
        self._is_own = is_own
        self._tell = tell
        self._contains = contains
        self._told: dict[str, Sequence[str]] = {}
        #: The experiments of which it is known that what their jobs leave can be kept.
        self._keeps: set[str] = set()
        #: Of each experiment what was found, and until when that is believed.
        self._found: dict[str, tuple[bool, float]] = {}

    def holds(self, experiment: Experiment, patience: Patience = usual_patience) -> bool:
        """Tell whether this machine has what the last spec of an experiment names, and the store keeps what jobs leave.

        If not, people are told once. It is looked at once in a while; what an experiment got since is looked at with
        each job.

        Args:
            experiment: that may be asked for jobs.
            patience: how long each call is tried while the store is away.

        Raises:
            NotFoundError: the experiment is gone.
            StoreUnavailableError: the store is away.
        """
        name = experiment.reference
        found, until = self._found.get(name, (False, -math.inf))
        began = time.monotonic()
        if began >= until:
            why = self._why_not(experiment, patience)
            if why != self._told.get(name, ()):
                for line in why:
                    self._tell(f"{experiment.name} {line}")
            self._told[name] = why
            now = time.monotonic()
            found = not why
            self._found[name] = found, now + max(_BETWEEN_LOOKS, _REST * (now - began))
        return found

    def look_again(self, experiment: Experiment) -> None:
        """Believe nothing of what was found of an experiment."""
        self._found.pop(experiment.reference, None)

    def _why_not(self, experiment: Experiment, patience: Patience) -> Sequence[str]:
        try:
            tasks = self._specs.last(experiment, patience)
        except NotFoundError:
            check_same(experiment, patience)  # raises if it is this that is not there
            return [_NO_TASKS]
        unkept = self._unkept(experiment, patience)
        lacks = self._lacks(experiment, tasks)
        told = [*unkept, *(f"is passed over: task {name!r}: {what}" for what, name in lacks.items())]
        rest = [f"is passed over for {len(told) - _MOST_TOLD:,} reasons more"] if len(told) > _MOST_TOLD else []
        return told[:_MOST_TOLD] + rest

    def _unkept(self, experiment: Experiment, patience: Patience) -> list[str]:
        """Say why nothing that jobs leave can be kept; it is asked until it can."""
        if experiment.reference not in self._keeps:
            try:
                experiment.session.queue.ask_files(experiment.reference, patience=patience)
            except ClientRequestError as error:
                if type(error) is not ClientRequestError:  # the experiment is gone, or the credentials are wrong
                    raise
                return [f"is passed over: {error}"]
            self._keeps.add(experiment.reference)
        return []

    def _lacks(self, experiment: Experiment, tasks: Tasks) -> dict[str, str]:
        """Return all that is lacking for the tasks whose jobs it may get, with the first task that names it."""
        lacks: dict[str, str] = {}
        for name, task in tasks.kinds.items():
            if unmet(needs_of(task), self._slots) is not None:
                continue
            for what in self._lacks_for(experiment, task):
                lacks.setdefault(what, name)
        return lacks

    def _lacks_for(self, experiment: Experiment, task: TaskSpec) -> Iterator[str]:
        if self._contains and not has_image(task) and not self._is_own(experiment):
            yield "it has no image, and what others wrote runs on this host only with --no-container"
        contained = self._contains and has_image(task)
        yield from lacking(task, self._stock.sources, self._stock.secrets.find, contained=contained)


def has_image(task: TaskSpec) -> bool:
    """Tell whether a task says in what it runs; those of W&B's sweeps do not."""
    return task.image.docker is not None or task.image.beaker is not None
