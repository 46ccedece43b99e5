"""Specs of experiments as a worker knows them: what their tasks are, read once for each version."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import cached_property

from attrs import frozen

from sweepstake.client import Experiment
from sweepstake.errors import NotFoundError
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.naming import named_tasks
from sweepstake.spec.needs import needs_of

__all__ = ["Specs", "Tasks", "check_same"]


def check_same(experiment: Experiment, patience: Patience = usual_patience) -> None:
    """Check that what calls on an experiment mean is still the one that was found.

    Its address may be that of another by now, whose owner is somebody else and whose spec says other things.

    Args:
        experiment: that was found.
        patience: how long each call is tried while the store is away.

    Raises:
        NotFoundError: it is gone.
        StoreUnavailableError: the store is away.
    """
    known = experiment.record
    now = experiment.session.queue.get_experiment(experiment.reference, patience=patience)
    if known is not None and (known.created_at, known.owner) != (now.created_at, now.owner):
        raise NotFoundError(f"The experiment {experiment.name!r} is gone; there is another of its name.")


@frozen(kw_only=True, slots=False)
class Tasks:
    """The tasks of one version of a spec.

    Attributes:
        by_name: by what they are called.
        sweeps: the names of those that have a `sweep`, whose placeholders are filled.
    """

    by_name: Mapping[str, TaskSpec]
    sweeps: frozenset[str]

    @cached_property
    def kinds(self) -> Mapping[str, TaskSpec]:
        """Of tasks that need the same, and name the same images, data and secrets, the first: mostly they are few."""
        first: dict[Hashable, str] = {}
        for name, task in self.by_name.items():
            first.setdefault(_named_by(task), name)
        return {name: self.by_name[name] for name in first.values()}


class Specs:
    """Knows the specs that it was asked for; not for several threads at once."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[_Identity, int], Tasks] = {}
        #: Of each experiment the last version of its spec.
        self._last: dict[_Identity, int] = {}

    def tasks(self, experiment: Experiment, version: int) -> Tasks:
        """Return the tasks of a version of an experiment's spec.

        Raises:
            NotFoundError: there is no such version, or no experiment.
        """
        which = _identity(experiment)
        if (which, version) not in self._tasks:
            self._fetch(experiment, version, usual_patience)
        return self._tasks[which, version]

    def last(self, experiment: Experiment, patience: Patience = usual_patience) -> Tasks:
        """Return the tasks of the last version of an experiment's spec.

        Once one is known, only those after it are asked for: a spec may be long, and this is asked again and again.

        Args:
            experiment: whose spec it is.
            patience: how long each call is tried while the store is away.

        Raises:
            NotFoundError: there is none, or no experiment.
            StoreUnavailableError: the store is away.
        """
        check_same(experiment, patience)
        which = _identity(experiment)
        version = self._last.get(which)
        if version is None:
            version = self._fetch(experiment, None, patience)
        else:
            with suppress(NotFoundError):  # there is none after it
                while True:
                    version = self._fetch(experiment, version + 1, patience)
        self._last[which] = version
        return self._tasks[which, version]

    def _fetch(self, experiment: Experiment, version: int | None, patience: Patience) -> int:
        """Learn the tasks of a version, of the last one without a number; return which it is."""
        record = experiment.session.queue.get_spec(experiment.reference, version, patience=patience)
        check_same(experiment, patience)  # else it may be another's
        spec = ExperimentSpec.from_json(record.document.decode())
        named = named_tasks(spec)
        sweeps = frozenset(each for each, task in named.items() if spec.sweep is not None or task.sweep is not None)
        self._tasks[_identity(experiment), record.version] = Tasks(by_name=named, sweeps=sweeps)
        return record.version


#: What tells an experiment from one that has come to its place.
_Identity = tuple[str, float]


def _identity(experiment: Experiment) -> _Identity:
    return experiment.reference, 0.0 if experiment.record is None else experiment.record.created_at


def _named_by(task: TaskSpec) -> Hashable:
    """Return all that a task needs and names of a machine."""
    secrets = tuple(variable.secret for variable in task.env_vars or () if variable.secret is not None)
    has_command = bool(task.command or task.arguments)
    return needs_of(task), task.image, has_command, secrets, tuple(task.datasets or ())
