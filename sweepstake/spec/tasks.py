"""A task of a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Self

import attrs
from attrs import frozen

from sweepstake.errors import SpecError
from sweepstake.plaintext import with_article
from sweepstake.spec.constraints import CONSTRAINTS, Constraints
from sweepstake.spec.fields import holds
from sweepstake.spec.kinds import COUNT, DURATION, FLAG, ITEMS, START_TIMEOUT, TEXT
from sweepstake.spec.parts import DataMount, EnvVar, ImageSource, Priority, ResultSpec, TaskContext, TaskResources
from sweepstake.spec.records import Record, changed_by, made_of, record_of, records_of, unknown_names
from sweepstake.spec.scalars import written
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tree import Found

__all__ = ["TaskSpec"]

#: The folder of results that is meant if none is said, as in beaker-py 1.
_NO_RESULT: Final = "/unused"


@changed_by("attrs.evolve(task, {}=...)")
@frozen
class TaskSpec(Record):
    """A command, and all that it needs to be run.

    Attributes:
        image: what it runs in.
        context: how it is run.
        result: where it leaves its results; nothing is kept if None.
        constraints: where it may run; anywhere if None.
        name: what other tasks call it by; no other task of the spec has it.
        command: the program, and the first of its arguments.
        arguments: what follows the command.
        env_vars: its environment.
        datasets: the data that it finds.
        resources: what it needs to have to itself.
        host_networking: whether it has the network of its machine.
        replicas: how many of it run together.
        leader_selection: whether replicas are told the host of the first.
        propagate_failure: whether its failure ends the other tasks.
        propagate_preemption: whether its preemption preempts the other tasks.
        synchronized_start_timeout: how many nanoseconds replicas wait for each other.
        timeout: how many nanoseconds it may run.
        sweep: the search whose jobs it is run for; it is one job if None.
    """

    image: ImageSource = holds(record_of(ImageSource), changer="with_image(...)")
    context: TaskContext = holds(
        record_of(TaskContext), default=attrs.Factory(TaskContext), always=True, changer="with_context(...)"
    )
    result: ResultSpec | None = holds(record_of(ResultSpec), default=None, changer="with_result(...)")
    constraints: Constraints | None = holds(CONSTRAINTS, default=None, changer="with_constraint(...)")
    name: str | None = holds(TEXT, default=None, changer="with_name(...)")
    command: Sequence[str | int | float] | None = holds(ITEMS, default=None, changer="with_command(...)")
    arguments: Sequence[str | int | float] | None = holds(ITEMS, default=None, changer="with_arguments(...)")
    env_vars: Sequence[EnvVar] | None = holds(
        records_of(EnvVar, "a list of variables"), default=None, changer="with_env_var(...)"
    )
    datasets: Sequence[DataMount] | None = holds(
        records_of(DataMount, "a list of mounts"), default=None, changer="with_dataset(...)"
    )
    resources: TaskResources | None = holds(record_of(TaskResources), default=None, changer="with_resources(...)")
    host_networking: bool = holds(FLAG, default=False, always=True)
    replicas: int | None = holds(COUNT, default=None)
    leader_selection: bool = holds(FLAG, default=False, always=True)
    propagate_failure: bool | None = holds(FLAG, default=None)
    propagate_preemption: bool | None = holds(FLAG, default=None)
    synchronized_start_timeout: int | None = holds(START_TIMEOUT, default=None)
    timeout: int | None = holds(DURATION, default=None)
    sweep: SweepSpec | None = holds(record_of(SweepSpec), default=None)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Compare variables and mounts with each other, and give constraints the cluster of the context."""
        yield from _repeated_variables(values.get("env_vars") or ())
        yield from _overlapping_mounts(values.get("datasets") or ())
        context, constraints = values.get("context"), values.get("constraints")
        if not isinstance(context, TaskContext) or not isinstance(constraints, Constraints | None):
            return
        if constraints is not None or context.cluster is not None:
            constraints = (constraints or Constraints()).in_context(context.cluster)
        if context.cluster is not None and constraints is not None and constraints.cluster != [context.cluster]:
            yield Found("is given in two ways, and the constraints say another", None, ["cluster", "context"])
        values["constraints"] = constraints

    @classmethod
    def new(
        cls,
        name: str,
        cluster: str | Iterable[str] | None = None,
        beaker_image: str | None = None,
        docker_image: str | None = None,
        result_path: str = _NO_RESULT,
        priority: str | Priority | None = None,
        preemptible: bool | None = None,
        min_runtime: str | float | timedelta | None = None,
        auto_resume: bool | None = None,
        **fields: Any,
    ) -> TaskSpec:
        """Return a task of its most common parts.

        Args:
            name: of the task.
            cluster: one or many, which become `constraints.cluster`.
            beaker_image: the image, as Beaker calls it.
            docker_image: the image, as a container engine calls it.
            result_path: where it leaves its results.
            priority: how urgent it is.
            preemptible: whether it gives way to more urgent tasks.
            min_runtime: for how long it is not asked to.
            auto_resume: whether it is queued again after it did.
            fields: any other of `TaskSpec`; `constraints` may be a dict. `image`, `result` and `context` may be given
                whole, instead of in parts.

        Raises:
            SpecError: lists everything that is wrong.
        """
        found = unknown_names(cls, fields)
        made: dict[str, Any] = {"name": name}
        context: dict[str, Any] = {"priority": priority, "preemptible": preemptible}
        context |= {"min_runtime": min_runtime, "auto_resume": auto_resume}
        result = {"path": None if result_path == _NO_RESULT else result_path}
        parts: Mapping[str, Any] = {
            "image": lambda whole: _whole_or(whole, {"beaker": beaker_image, "docker": docker_image}, ImageSource),
            "result": lambda whole: _whole_or(whole, result, lambda **_: ResultSpec(path=result_path)),
            "context": lambda whole: _whole_or(whole, context, TaskContext),
            "constraints": lambda whole: _constraints(cluster, whole),
        }
        for field, make in parts.items():
            try:
                made[field] = make(fields.pop(field, None))
            except SpecError as error:
                found += [Found(each.problem, None, [each.path or field]) for each in error.faults]
        if found:
            raise SpecError(each.told(None) for each in found)
        return cls(**made, **fields)

    def with_image(self, **source: Any) -> Self:
        """Return a copy with another image; see `ImageSource`."""
        return attrs.evolve(self, image=made_of(ImageSource, source))

    def with_result(self, **result: Any) -> Self:
        """Return a copy that leaves its results elsewhere; see `ResultSpec`."""
        return attrs.evolve(self, result=made_of(ResultSpec, result))

    def with_context(self, **context: Any) -> Self:
        """Return a copy that is run otherwise; see `TaskContext`."""
        return attrs.evolve(self, context=made_of(TaskContext, context))

    def with_name(self, name: str) -> Self:
        """Return a copy of another name."""
        return attrs.evolve(self, name=name)

    def with_command(self, command: Sequence[str | int | float]) -> Self:
        """Return a copy that runs another command."""
        return attrs.evolve(self, command=command)

    def with_arguments(self, arguments: Sequence[str | int | float]) -> Self:
        """Return a copy with other arguments."""
        return attrs.evolve(self, arguments=arguments)

    def with_resources(self, **resources: Any) -> Self:
        """Return a copy with other needs; see `TaskResources`."""
        return attrs.evolve(self, resources=made_of(TaskResources, resources))

    def with_dataset(self, mount_path: str, **source: Any) -> Self:
        """Return a copy with one more mount; see `DataMount.new`."""
        return attrs.evolve(self, datasets=[*(self.datasets or ()), DataMount.new(mount_path, **source)])

    def with_env_var(self, name: str, value: str | None = None, secret: str | None = None) -> Self:
        """Return a copy with one more variable; see `EnvVar`."""
        return attrs.evolve(self, env_vars=[*(self.env_vars or ()), EnvVar(name=name, value=value, secret=secret)])

    def with_constraint(self, **lists: Any) -> Self:
        """Return a copy with these constraints; others that it has stay."""
        kept = self.constraints.stated() if self.constraints is not None else {}
        return attrs.evolve(self, constraints=Constraints(**{**kept, **lists}))

    def words(self) -> list[str]:
        """Return command and arguments as the process gets them: each as it was written in its file."""
        return [written(item) for item in (*(self.command or ()), *(self.arguments or ()))]


def _whole_or(whole: object, parts: Mapping[str, object], make: Callable[..., Record]) -> object:
    """Return a part of a task that is given whole, or else made of what is given of it."""
    if whole is None:
        return make(**parts)
    if any(value is not None for value in parts.values()):
        raise SpecError.at("", "is given in two ways, whole and in parts")
    return whole


def _constraints(cluster: str | Iterable[str] | None, constraints: Any) -> Constraints | None:
    if constraints is None:
        return None if cluster is None else Constraints(cluster=cluster)
    if isinstance(constraints, Mapping):
        constraints = Constraints(**constraints)
    if not isinstance(constraints, Constraints):
        kind = with_article(type(constraints).__name__)
        raise SpecError.at("constraints", f"must be Constraints(...) or a dict, not {kind}")
    if cluster is None:
        return constraints
    if constraints.cluster:
        raise SpecError.at("cluster", "is given in two ways, alone and in the constraints")
    return Constraints(**{**dict(constraints), "cluster": cluster})


def _repeated_variables(variables: Iterable[Any]) -> Iterator[Found]:
    seen: set[str] = set()
    for i, variable in enumerate(variables):
        name = variable and variable.name
        if name in seen:
            yield Found(f"is the variable {name!r} a second time", None, ["name", i, "env_vars"])
        if name is not None:
            seen.add(name)


def _overlapping_mounts(mounts: Iterable[Any]) -> Iterator[Found]:
    """Tell mounts that are the same as another or lie within it, on a file system that does not mind the case too."""
    paths = [(_segments(mount.mount_path), i) for i, mount in enumerate(mounts) if mount and mount.mount_path]
    outer: tuple[tuple[str, ...], int] | None = None
    for segments, i in sorted(paths):
        if outer is not None and segments[: len(outer[0])] == outer[0]:
            first, later = sorted((outer[1], i))
            yield Found(f"overlaps with the mount of datasets[{first}]", None, ["mount_path", later, "datasets"])
        else:
            outer = segments, i


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.casefold().split("/") if part not in ("", "."))
