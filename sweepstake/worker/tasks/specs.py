"""Specs of experiments as a worker knows them: what their tasks are, read once for each version."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen

from sweepstake.client import Experiment
from sweepstake.errors import NotFoundError
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.naming import task_names

__all__ = ["Specs", "Tasks"]


@frozen(kw_only=True)
class Tasks:
    """The tasks of one version of a spec.

    Attributes:
        by_name: by what they are called.
        sweeps: the names of those that have a `sweep`, whose placeholders are filled.
    """

    by_name: Mapping[str, TaskSpec]
    sweeps: frozenset[str]


class Specs:
    """Knows the specs that it was asked for; not for several threads at once."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, int], Tasks] = {}
        #: The last version that is known of each experiment.
        self._last: dict[str, int] = {}

    def last(self, experiment: Experiment) -> Tasks:
        """Return the tasks of the last version of an experiment's spec.

        Once one is known, only those after it are asked for: a spec may be long, and this is asked again and again.

        Raises:
            NotFoundError: there is none, or no experiment.
        """
        name = experiment.reference
        if name not in self._last:
            self._last[name] = self._fetch(experiment, None)
        else:
            with suppress(NotFoundError):  # there is none after it
                while True:
                    self._last[name] = self._fetch(experiment, self._last[name] + 1)
        return self._tasks[name, self._last[name]]

    def tasks(self, experiment: Experiment, version: int | None) -> Tasks:
        """Return the tasks of a version of an experiment's spec; of the last one without a number.

        Raises:
            NotFoundError: there is no such version, or no experiment.
        """
        if version is None:
            return self.last(experiment)
        name = experiment.reference
        if (name, version) not in self._tasks:
            self._fetch(experiment, version)
        return self._tasks[name, version]

    def _fetch(self, experiment: Experiment, version: int | None) -> int:
        """Learn the tasks of a version, of the last one without a number; return which it is."""
        record = experiment.session.queue.get_spec(experiment.reference, version)
        spec = ExperimentSpec.from_json(record.document.decode())
        named = dict(zip(task_names(spec), spec.tasks, strict=True))
        sweeps = frozenset(each for each, task in named.items() if spec.sweep is not None or task.sweep is not None)
        self._tasks[experiment.reference, record.version] = Tasks(by_name=named, sweeps=sweeps)
        return record.version
