"""The parts of a task: its image, environment, data, result, resources and context."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar

from attrs import frozen

from sweepstake.spec.fields import holds, spelled
from sweepstake.spec.kinds import (
    COUNT,
    DURATION,
    FLAG,
    HOST_PATH,
    MEMORY,
    MOUNT_PATH,
    NUMBER,
    TEXT,
    VARIABLE,
    choice_of,
)
from sweepstake.spec.records import Record, changed_by, made_of, record_of
from sweepstake.spec.tree import Found

__all__ = [
    "DataMount",
    "DataSource",
    "EnvVar",
    "ImageSource",
    "MountMode",
    "Priority",
    "ResultSpec",
    "TaskContext",
    "TaskResources",
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
        return cls(source=made_of(DataSource, source), mount_path=mount_path, sub_path=sub_path, mode=mode)


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
        cpu_count: processors; a fraction is possible. A task that does not say so needs one.
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
