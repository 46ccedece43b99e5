"""A whole spec: tasks, how they are tried again, and how they are swept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

import attrs
from attrs import frozen

from sweepstake.spec.checks import image_faults, repeated_names, spec_faults
from sweepstake.spec.fields import holds
from sweepstake.spec.kinds import COUNT, TEXT, TEXTS, FrozenList, choice_of
from sweepstake.spec.parts import Priority
from sweepstake.spec.reading import read_bytes, read_file_bytes, uncollected
from sweepstake.spec.records import Record, changed_by, located, read_record, record_of, records_of, told
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tasks import TaskSpec
from sweepstake.spec.tree import Faults, Found, MapNode
from sweepstake.spec.wandb import from_wandb, is_wandb, told_of_wandb
from sweepstake.spec.writing import to_yaml

__all__ = ["ExperimentSpec", "RetrySpec", "SpecVersion", "read_spec"]


class SpecVersion(StrEnum):
    """The versions of the format; both are read in the same way."""

    v2 = "v2"
    v2_alpha = "v2-alpha"


@changed_by("ExperimentSpec.with_retries(...)")
@frozen
class RetrySpec(Record):
    """How often tasks are tried again.

    Attributes:
        allowed_task_retries: how many more attempts a task that failed has.
    """

    allowed_task_retries: int | None = holds(COUNT, default=None)


@changed_by("attrs.evolve(spec, {}=...)")
@frozen
class ExperimentSpec(Record):
    """What an experiment runs.

    Attributes:
        version: of the format.
        description: what it is for.
        tasks: what is run; each may wait for the results of others.
        budget: who pays for it; kept, and of no meaning here.
        retry: how often tasks are tried again.
        groups: the groups of experiments that it belongs to.
        sweep: the search whose jobs all tasks are run for.
    """

    version: SpecVersion = holds(choice_of(SpecVersion), default=SpecVersion.v2, always=True)
    description: str | None = holds(TEXT, default=None, changer="with_description(...)")
    tasks: Sequence[TaskSpec] = holds(
        records_of(TaskSpec, "a list of tasks"),
        default=attrs.Factory(FrozenList),
        always=True,
        changer="with_task(...)",
    )
    budget: str | None = holds(TEXT, default=None)
    retry: RetrySpec | None = holds(record_of(RetrySpec), default=None, changer="with_retries(...)")
    groups: Sequence[str] | None = holds(TEXTS, default=None)
    sweep: SweepSpec | None = holds(record_of(SweepSpec), default=None)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Refuse two tasks of one name."""
        return repeated_names(values.get("tasks") or ())

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read a spec from a YAML file, which may also be JSON, or a sweep of W&B's, which becomes a spec.

        Raises:
            SpecError: lists everything that is wrong, with line and column.
            OSError: the file cannot be read.
            MissingExtraError: PyYAML is not installed.
        """
        return read_spec(cls, read_file_bytes(Path(path)), os.fspath(path))

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the spec to a YAML file."""
        Path(path).write_text(to_yaml(self), encoding="utf-8")

    @classmethod
    def new(
        cls,
        budget: str | None = None,
        task_name: str = "main",
        description: str | None = None,
        cluster: str | Iterable[str] | None = None,
        beaker_image: str | None = None,
        docker_image: str | None = None,
        result_path: str = "/unused",
        priority: str | Priority | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return a spec of a single task.

        Args:
            budget: who pays for it.
            task_name: what the task is called.
            description: what the experiment is for.
            cluster: one or many on which the task may run.
            beaker_image: the image, as Beaker calls it.
            docker_image: the image, as a container engine calls it.
            result_path: where the task leaves its results.
            priority: how urgent the task is.
            kwargs: all else that `TaskSpec.new` takes.
        """
        task = TaskSpec.new(
            task_name,
            cluster=cluster,
            beaker_image=beaker_image,
            docker_image=docker_image,
            result_path=result_path,
            priority=priority,
            **kwargs,
        )
        return cls(budget=budget, description=description, tasks=[task])

    def with_task(self, task: TaskSpec) -> Self:
        """Return a copy with one more task, whose name must be new, and whose image must be said."""
        changed = attrs.evolve(self, tasks=[*self.tasks, task])
        found = list(image_faults(task, [len(self.tasks), "tasks"]))
        if found:
            raise told(found)
        return changed

    def with_description(self, description: str) -> Self:
        """Return a copy of another description."""
        return attrs.evolve(self, description=description)

    def with_retries(self, allowed_task_retries: int) -> Self:
        """Return a copy whose tasks are tried again so often."""
        return attrs.evolve(self, retry=RetrySpec(allowed_task_retries=allowed_task_retries))

    def validate(self) -> None:
        """Check what holds between parts: images, results of other tasks, sweeps and placeholders.

        Raises:
            SpecError: lists everything that is wrong.
        """
        found = list(spec_faults(self))
        if found:
            raise told(found)


S = TypeVar("S", bound=ExperimentSpec)


def read_spec(kind: type[S], data: bytes, file: str, further: Callable[[S], Iterable[Found]] = lambda _: ()) -> S:
    """Read a spec from what a file holds.

    Args:
        kind: the class.
        data: what the file holds.
        file: what the file is called.
        further: finds what is wrong with a spec that is otherwise in order.

    Raises:
        SpecError: lists everything that is wrong, with line and column.
        MissingExtraError: PyYAML is not installed.
    """
    with uncollected():
        try:
            return _read(kind, data, further)
        except Faults as faults:
            raise told(faults.found, file) from None


def _read(kind: type[S], data: bytes, further: Callable[[S], Iterable[Found]]) -> S:
    root, found = read_bytes(data)
    foreign = is_wandb(root)
    spec: Any
    try:
        spec = _of_wandb(root, kind) if foreign else read_record(root, kind)
    except Faults as faults:
        found += faults.found
        spec = faults.partial
    if not foreign:
        found += [Found(each.problem, *located(root, each.steps)) for each in spec_faults(spec)]
    if not found:
        found = [
            told_of_wandb(each, root) if foreign else Found(each.problem, *located(root, each.steps))
            for each in further(spec)
        ]
    if found:
        raise Faults(found)
    return spec  # type: ignore[no-any-return]


def _of_wandb(root: MapNode, kind: type[S]) -> S:
    try:
        return read_record(from_wandb(root), kind)
    except Faults as faults:
        raise Faults([told_of_wandb(each, root) for each in faults.found]) from None
