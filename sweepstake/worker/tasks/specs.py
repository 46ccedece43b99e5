"""Specs of experiments as a worker knows them: what their tasks are, read once for each version."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from sweepstake.client import Experiment
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

    def tasks(self, experiment: Experiment, version: int | None) -> Tasks:
        """Return the tasks of a version of an experiment's spec; of the last one without a number.

        Raises:
            NotFoundError: there is no such version, or no experiment.
        """
        name = experiment.reference
        if version is not None and (name, version) in self._tasks:
            return self._tasks[name, version]
        record = experiment.session.queue.get_spec(name, version)
        if (name, record.version) not in self._tasks:
            spec = ExperimentSpec.from_json(record.document.decode())
            named = dict(zip(task_names(spec), spec.tasks, strict=True))
            sweeps = frozenset(each for each, task in named.items() if spec.sweep is not None or task.sweep is not None)
            self._tasks[name, record.version] = Tasks(by_name=named, sweeps=sweeps)
        return self._tasks[name, record.version]
