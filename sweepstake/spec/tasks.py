"""A task of a spec, and the parts that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final, NoReturn, Self

import attrs
from attrs import frozen

from sweepstake.errors import FrozenSpecError, SpecError
from sweepstake.plaintext import with_article
from sweepstake.spec.kinds import (
    COUNT,
    DURATION,
    FLAG,
    HOST_PATH,
    ITEMS,
    MEMORY,
    MOUNT_PATH,
    NUMBER,
    START_TIMEOUT,
    TEXT,
    TEXTS_OR_ONE,
    VARIABLE,
    FrozenList,
    Kind,
    choice_of,
    problems_of,
)
from sweepstake.spec.records import Record, changed_by, holds, record_of, records_of, spelled
from sweepstake.spec.scalars import written
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tree import Faults, Found

__all__ = [
    "Constraints",
    "DataMount",
    "DataSource",
    "EnvVar",
    "ImageSource",
    "MountMode",
    "Priority",
    "ResultSpec",
    "TaskContext",
    "TaskResources",
    "TaskSpec",
]


class Priority(StrEnum):
    """How urgent a task is; `preemptible` also gives way to others, as ``preemptible: true`` does."""

    urgent = "urgent"
    high = "high"
    normal = "normal"
    low = "low"
    preemptible = "preemptible"
    immediate = "immediate"


class MountMode(StrEnum):
    """Whether a task may write into what is mounted."""

    readonly = "readonly"
    readwrite = "readwrite"


@changed_by("TaskSpec.with_image({}=...)")
@frozen
class ImageSource(Record):
    """Where a task's image comes from: exactly one of these.

    Attributes:
        beaker: the name of a Beaker image, which the configuration of the worker maps to one that it has.
        docker: the tag of an image that a container engine can pull.
    """

    one_of: ClassVar[bool] = True

    beaker: str | None = holds(TEXT, default=None)
    docker: str | None = holds(TEXT, default=None)


@changed_by("TaskSpec.with_env_var(...)")
@frozen
class EnvVar(Record):
    """A variable of a task's environment; with neither value nor secret it is the empty text.

    Attributes:
        name: of the variable.
        value: its text, as it was written in the file: ``false`` and ``007`` stay that.
        secret: the name of the secret that is its text.
    """

    name: str = holds(VARIABLE)
    value: str | None = holds(TEXT, default=None)
    secret: str | None = holds(TEXT, default=None)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Refuse a value and a secret at once."""
        if values.get("value") is not None and values.get("secret") is not None:
            yield Found("is given beside a value; a variable has one of them", None, ["secret"])


@changed_by("TaskSpec.with_dataset(...)")
@frozen
class DataSource(Record):
    """Where data comes from: exactly one of these.

    Attributes:
        beaker: a Beaker data set, which the configuration of the worker maps to a folder.
        host_path: a folder or file of the worker's machine, below one of the roots that its configuration allows.
        weka: a bucket, which the configuration of the worker maps to a folder.
        result: the task of the same spec whose result is meant; it must be done before.
        secret: a secret, mounted as a file.
        volume: a named volume, which the configuration of the worker maps to a folder.
    """

    one_of: ClassVar[bool] = True

    beaker: str | None = holds(TEXT, default=None)
    host_path: str | None = holds(HOST_PATH, default=None)
    weka: str | None = holds(TEXT, default=None)
    result: str | None = holds(TEXT, default=None)
    secret: str | None = holds(TEXT, default=None)
    volume: str | None = holds(TEXT, default=None)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Refuse all but exactly one source."""
        named = [wire for name, wire in spelled(cls).items() if values.get(name) is not None or name in bad]
        if len(named) != 1:
            which = f"has {' and '.join(named)}" if named else "has none"
            yield Found(f"must have exactly one of beaker, hostPath, weka, result, secret and volume, {which}", None)


@changed_by("TaskSpec.with_dataset(...)")
@frozen
class DataMount(Record):
    """Data that a task finds at a path.

    Attributes:
        source: where it comes from.
        mount_path: where the task finds it: absolute, and no other mount within it or around it.
        sub_path: the part of the source that is meant; all of it if None.
        mode: whether the task may write there.
    """

    source: DataSource = holds(record_of(DataSource))
    mount_path: str = holds(MOUNT_PATH)
    sub_path: str | None = holds(TEXT, default=None)
    mode: MountMode | None = holds(choice_of(MountMode), default=None)

    @classmethod
    def new(cls, mount_path: str, sub_path: str | None = None, **source: Any) -> DataMount:
        """Return a mount of one source.

        Args:
            mount_path: where the task finds it.
            sub_path: the part of the source that is meant.
            source: one of the fields of `DataSource`; `mode` may stand beside it.
        """
        mode = source.pop("mode", None)
        return cls(source=DataSource(**source), mount_path=mount_path, sub_path=sub_path, mode=mode)


@changed_by("TaskSpec.with_result({}=...)")
@frozen
class ResultSpec(Record):
    """Where a task leaves its results.

    Attributes:
        path: the folder whose files are kept.
    """

    path: str = holds(TEXT)


@changed_by("TaskSpec.with_resources({}=...)")
@frozen
class TaskResources(Record):
    """What a task needs to have to itself.

    Attributes:
        cpu_count: processors; a fraction is possible.
        gpu_count: GPUs.
        memory: such as ``2.5GiB`` or ``512m``; each unit is 1024 of the one before.
        shared_memory: the size of ``/dev/shm``, written as `memory` is.
    """

    cpu_count: float | None = holds(NUMBER, default=None)
    gpu_count: int | None = holds(COUNT, default=None)
    memory: str | None = holds(MEMORY, default=None)
    shared_memory: str | None = holds(MEMORY, default=None)


@changed_by("TaskSpec.with_context({}=...)")
@frozen
class TaskContext(Record):
    """How a task is run.

    Attributes:
        cluster: the old way of saying ``constraints.cluster``, and read as that.
        priority: how urgent it is.
        preemptible: whether it gives way to more urgent tasks.
        min_runtime: for how many nanoseconds it is not asked to.
        auto_resume: whether it is queued again after it did.
    """

    cluster: str | None = holds(TEXT, default=None)
    priority: Priority | None = holds(choice_of(Priority), default=None)
    preemptible: bool | None = holds(FLAG, default=None)
    min_runtime: int | None = holds(DURATION, default=None)
    auto_resume: bool | None = holds(FLAG, default=None)


def _take_constraints(value: Any) -> tuple[tuple[str, FrozenList[str]], ...]:
    found: list[Found] = []
    taken = []
    for name, texts in dict(value).items():
        try:
            taken.append((name, TEXTS_OR_ONE.take(texts)))
        except (ValueError, Faults) as error:
            found += problems_of(error, name)
    if found:
        raise Faults(found)
    return tuple(taken)


def _write_constraints(others: tuple[tuple[str, FrozenList[str]], ...]) -> dict[str, list[str]]:
    return {name: list(texts) for name, texts in others}


_OTHERS: Final = Kind(TEXTS_OR_ONE.schema, TEXTS_OR_ONE.read, _take_constraints, _write_constraints)


@changed_by("TaskSpec.with_constraint({}=[...])")
@frozen(init=False)
class Constraints(Record):
    """Where a task may run: for each name the values of which a worker must have one.

    Any name is possible, and found as an item: ``constraints["cluster"]``.

    Attributes:
        cluster: names of clusters.
        hostname: names of machines.
    """

    cluster: Sequence[str] | None = holds(TEXTS_OR_ONE, default=None)
    hostname: Sequence[str] | None = holds(TEXTS_OR_ONE, default=None)
    _others: tuple[tuple[str, FrozenList[str]], ...] = holds(_OTHERS, default=(), spread=True)
    #: Whether `cluster` only follows from the task's context, and is written there.
    _of_context: bool = attrs.field(default=False, eq=False, repr=False)

    def __init__(self, cluster: Any = None, hostname: Any = None, **others: Any) -> None:
        """Take lists of texts, or single texts, by name."""
        given = {name: texts for name, texts in others.items() if texts is not None}
        self.__attrs_init__(cluster, hostname, given)  # type: ignore[arg-type]  # a dict becomes pairs

    def __getitem__(self, name: str) -> Sequence[str]:
        """Return the values of a name."""
        return dict(self._items())[name]

    def __setitem__(self, name: str, values: object) -> NoReturn:
        """Refuse, and name what to use."""
        raise FrozenSpecError(
            f"constraints[{name!r}] cannot be assigned to; TaskSpec.with_constraint(...) returns a changed copy"
        )

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a constraint of that name."""
        return name in dict(self._items())

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the names, so that ``dict(constraints)`` is a copy."""
        return [name for name, _ in self._items()]

    def _items(self) -> Iterator[tuple[str, Sequence[str]]]:
        yield from ((name, texts) for name in ("cluster", "hostname") if (texts := getattr(self, name)) is not None)
        yield from self._others

    def _of(self, context: TaskContext | None) -> Constraints:
        """Return the constraints with the cluster of a task's context."""
        given = {name: texts for name, texts in self._items() if not (self._of_context and name == "cluster")}
        if context is None or context.cluster is None or "cluster" in given:
            return Constraints(**given) if self._of_context else self
        made = Constraints(**given, cluster=[context.cluster])
        object.__setattr__(made, "_of_context", True)
        return made

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; a cluster that a task's context names is written there."""
        data = super().to_json()
        if self._of_context:
            del data["cluster"]
        return data


def _write_stated(constraints: Constraints) -> dict[str, Any] | None:
    """Return constraints as JSON, or None if they only repeat the context."""
    data = constraints.to_json()
    return None if constraints._of_context and not data else data  # noqa: SLF001 -- a class of this module


_CONSTRAINTS: Final = attrs.evolve(record_of(Constraints), write=_write_stated)


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
    constraints: Constraints | None = holds(_CONSTRAINTS, default=None, changer="with_constraint(...)")
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
        placed = (constraints or Constraints())._of(context)  # noqa: SLF001 -- a class of this module
        if context.cluster is not None and placed.cluster != [context.cluster]:
            yield Found("is given in two ways, and the constraints say another", None, ["cluster", "context"])
        stated = constraints is not None and not constraints._of_context  # noqa: SLF001 -- a class of this module
        values["constraints"] = placed if stated or placed.keys() else None

    @classmethod
    def new(
        cls,
        name: str,
        cluster: str | Iterable[str] | None = None,
        beaker_image: str | None = None,
        docker_image: str | None = None,
        result_path: str = "/unused",
        priority: str | Priority | None = None,
        preemptible: bool | None = None,
        min_runtime: int | str | None = None,
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
            fields: any other of `TaskSpec`; `constraints` may be a dict.
        """
        found: list[Found] = []
        made: dict[str, Any] = {"name": name}
        context: dict[str, Any] = {"priority": priority, "preemptible": preemptible}
        context |= {"min_runtime": min_runtime, "auto_resume": auto_resume}
        parts: Mapping[str, Any] = {
            "image": lambda: ImageSource(beaker=beaker_image, docker=docker_image),
            "result": lambda: ResultSpec(path=result_path),
            "context": lambda: TaskContext(**context),
            "constraints": lambda: _constraints(cluster, fields.pop("constraints", None)),
        }
        for field, make in parts.items():
            try:
                made[field] = make()
            except SpecError as error:
                found += [Found(each.problem, None, [each.path or field]) for each in error.faults]
        if found:
            raise SpecError(each.told(None) for each in found)
        return cls(**made, **fields)

    def with_image(self, **source: Any) -> Self:
        """Return a copy with another image; see `ImageSource`."""
        return attrs.evolve(self, image=ImageSource(**source))

    def with_result(self, **result: Any) -> Self:
        """Return a copy that leaves its results elsewhere; see `ResultSpec`."""
        return attrs.evolve(self, result=ResultSpec(**result))

    def with_context(self, **context: Any) -> Self:
        """Return a copy that is run otherwise; see `TaskContext`."""
        return attrs.evolve(self, context=TaskContext(**context))

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
        return attrs.evolve(self, resources=TaskResources(**resources))

    def with_dataset(self, mount_path: str, **source: Any) -> Self:
        """Return a copy with one more mount; see `DataMount.new`."""
        return attrs.evolve(self, datasets=[*(self.datasets or ()), DataMount.new(mount_path, **source)])

    def with_env_var(self, name: str, value: str | None = None, secret: str | None = None) -> Self:
        """Return a copy with one more variable; see `EnvVar`."""
        return attrs.evolve(self, env_vars=[*(self.env_vars or ()), EnvVar(name=name, value=value, secret=secret)])

    def with_constraint(self, **lists: Any) -> Self:
        """Return a copy with these constraints; others that it has stay."""
        kept = dict(self.constraints._of(None)) if self.constraints is not None else {}  # noqa: SLF001 -- as in settle
        return attrs.evolve(self, constraints=Constraints(**{**kept, **lists}))

    def words(self) -> list[str]:
        """Return command and arguments as the process gets them: each as it was written in its file."""
        return [written(item) for item in (*(self.command or ()), *(self.arguments or ()))]


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
