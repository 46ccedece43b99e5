"""From a task of a spec, and the job that it is run for, to what is started: pure, but for folders that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.spec import Priority, TaskSpec
from sweepstake.spec.needs import needs_of
from sweepstake.spec.placeholders import variable_of
from sweepstake.spec.scalars import memory_bytes
from sweepstake.worker.slots.book import Share
from sweepstake.worker.slots.offer import gpu_variables
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.items import filled_items, filled_value
from sweepstake.worker.tasks.paths import normal, replacing
from sweepstake.worker.tasks.sources import Mount, Sources

__all__ = [
    "Folders",
    "JobFacts",
    "TaskRun",
    "check_task",
    "is_preemptible",
    "lacking",
    "least_runtime_of",
    "on_host",
    "room_of",
    "run_of",
    "timeout_of",
]

#: The size of ``/dev/shm``, unless a task says otherwise.
_SHARED_MEMORY: Final = 5 * 1024**3
#: The most characters of a variable; Linux allows 128 KiB.
_MOST_TEXT: Final = 100_000
#: Folders of the attempt in a container.
_INSIDE: Final = "/sweepstake"


@frozen(kw_only=True)
class JobFacts:
    """What a task is told of the job that it is run for.

    Attributes:
        experiment: what it is called.
        job_id: of the job.
        task: what the task is called.
        attempt: which attempt it is, from 1.
        name: what no other attempt on this host is called, of letters, digits and dashes; see `Living.name`.
        hyperparameters: of the job.
        sweeps: whether the task is run for jobs of a sweep, and so has placeholders.
        share: what the job has of the machine.
        hostname: of this machine.
        rank: which of the replicas it is.
        count: how many replicas there are.
        leader: the host of the first.
        seed: which repeat of its hyperparameters it is, if that is counted.
        results: what it starts from, as the child of another job does.
    """

    experiment: str
    job_id: str
    task: str
    attempt: int
    name: str
    hyperparameters: Mapping[str, Any]
    sweeps: bool
    share: Share
    hostname: str
    rank: int = 0
    count: int = 1
    leader: str = ""
    seed: int | None = None
    results: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Folders:
    """The folders of an attempt on this host.

    Attributes:
        own: for what we tell the task in files, and it us.
        results: for its results.
        checkpoints: for its checkpoints, the same in every attempt.
    """

    own: Path
    results: Path
    checkpoints: Path


@frozen(kw_only=True)
class TaskRun:
    """What is started for an attempt.

    Attributes:
        command: the program, and the first of its arguments; nothing for the one of the image.
        arguments: what follows.
        environment: variables; a container gets these alone.
        secrets: variables that nobody else may see.
        mounts: what is found where.
        image: the container's; None to run on the host.
        name: what no other attempt on this host is called.
        gpus: which GPUs.
        memory: its limit in bytes, if it has one.
        shared_memory: the size of ``/dev/shm``.
        host_networking: whether it has the network of its machine.
    """

    command: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    mounts: Sequence[Mount]
    image: str | None
    name: str
    gpus: Sequence[str]
    memory: int | None
    shared_memory: int
    host_networking: bool


def room_of(task: TaskSpec) -> Room:
    """Return what a job of a task takes of a machine."""
    needs = needs_of(task)
    return Room(cpus=needs.cpu, gpus=needs.gpu, memory=needs.memory)


def is_preemptible(task: TaskSpec) -> bool:
    """Tell whether a job of a task gives way to more urgent ones."""
    return bool(task.context.preemptible) or task.context.priority is Priority.preemptible


def least_runtime_of(task: TaskSpec) -> float:
    """Return the seconds for which a job of a task is not asked to give way."""
    return (task.context.min_runtime or 0) / 1e9


def timeout_of(task: TaskSpec) -> float | None:
    """Return the seconds that an attempt may run."""
    return None if not task.timeout else task.timeout / 1e9


def lacking(task: TaskSpec, sources: Sources, secret: Callable[[str], str], *, contained: bool) -> Iterator[str]:
    """Yield all that this machine lacks for a task, and what to do about it; before any job of it is claimed.

    Results of other tasks are not looked for, because they may not be there yet.

    Args:
        task: of a spec.
        sources: what this machine has.
        secret: returns a secret.
        contained: whether it would run in a container.
    """
    if contained:
        yield from _told(lambda: _image(task, sources))
    elif not (task.command or task.arguments):
        yield "a task without a command runs what its image says, which needs a container engine"
    names = [variable.secret for variable in task.env_vars or ()]
    for mount in task.datasets or ():
        names.append(mount.source.secret)
        if mount.source.result is not None or mount.source.secret is not None:
            continue
        yield from _told(partial(sources.mount, mount, lambda _: Path("/"), lambda _: Path("/")))
        if not contained and normal(mount.mount_path) == "/":
            yield "a mount at / cannot be had outside of a container"
    for name in dict.fromkeys(name for name in names if name is not None):
        yield from _told(partial(secret, name))


def check_task(task: TaskSpec, sources: Sources, secret: Callable[[str], str], *, contained: bool) -> None:
    """Check that this machine has what a task names; see `lacking`.

    Raises:
        ConfigurationError: names all that it lacks.
    """
    found = list(lacking(task, sources, secret, contained=contained))
    if found:
        raise ConfigurationError("; ".join(found))


def _told(find: Callable[[], object]) -> Iterator[str]:
    """Yield what is wrong with what this machine is looked through for, if anything is."""
    try:
        find()
    except ConfigurationError as error:
        yield str(error)


def run_of(
    task: TaskSpec,
    facts: JobFacts,
    mounts: Sequence[Mount],
    folders: Folders,
    sources: Sources,
    secret: Callable[[str], str],
    *,
    contained: bool,
) -> TaskRun:
    """Return what is started for a job, as it is in a container: with the paths that the task says.

    Args:
        task: of a spec.
        facts: the job.
        mounts: what the task finds where.
        folders: of the attempt.
        sources: what this machine has.
        secret: returns a secret.
        contained: whether it will run in a container; otherwise `on_host` follows.

    Raises:
        InvalidInputError: the job's hyperparameters cannot be put where the task has placeholders.
        ConfigurationError: this machine lacks a secret or an image.
    """
    items = task.words()
    values = facts.hyperparameters if facts.sweeps else None
    if values is not None:
        items = filled_items(items, values)
    variables, secrets = _stated(task, values, secret)
    ours = _ours(facts)
    result = _result_path(task)
    ours |= {
        "SWEEPSTAKE_RESULT_DIR": result,
        "SWEEPSTAKE_MOUNTS": json.dumps({mount.path: mount.path for mount in mounts}),
        "SWEEPSTAKE_RESULTS_PATH": f"{_INSIDE}/results.json",
        "SWEEPSTAKE_HYPERPARAMETERS_PATH": f"{_INSIDE}/hyperparameters.json",
        "SWEEPSTAKE_CHECKPOINT_DIR": f"{_INSIDE}/checkpoints",
    }
    if facts.results:
        ours["SWEEPSTAKE_START_PATH"] = f"{_INSIDE}/start.json"
    resources = task.resources
    memory = resources.memory if resources is not None else None
    shared = resources.shared_memory if resources is not None else None
    first = len(task.command or ())
    return TaskRun(
        command=items[:first],
        arguments=items[first:],
        environment={**variables, **ours},
        secrets={name: value for name, value in secrets.items() if name not in ours},
        mounts=[
            *mounts,
            Mount(host=folders.own, path=_INSIDE, write=True),
            Mount(host=folders.checkpoints, path=f"{_INSIDE}/checkpoints", write=True),
            Mount(host=folders.results, path=result, write=True),
        ],
        image=_image(task, sources) if contained else None,
        name=facts.name,
        gpus=facts.share.gpus,
        memory=None if memory is None else memory_bytes(memory),
        shared_memory=_SHARED_MEMORY if shared is None else memory_bytes(shared),
        host_networking=task.host_networking,
    )


def on_host(run: TaskRun) -> TaskRun:
    """Return a run whose paths are those of this host, in its items and in its variables."""
    folders = {mount.path: str(mount.host) for mount in run.mounts}
    replace = replacing(folders)
    environment = {
        name: replace(value) for name, value in run.environment.items() if name not in ("SWEEPSTAKE_MOUNTS", *_JSON)
    }
    environment |= {name: run.environment[name] for name in _JSON if name in run.environment}
    named = json.loads(run.environment["SWEEPSTAKE_MOUNTS"])
    environment["SWEEPSTAKE_MOUNTS"] = json.dumps({path: folders[path] for path in named})
    environment |= gpu_variables(run.gpus)
    return evolve(
        run,
        command=[replace(item) for item in run.command],
        arguments=[replace(item) for item in run.arguments],
        environment=environment,
    )


#: Variables of ours that hold the job's values, which are told as they are.
_JSON: Final = ("SWEEPSTAKE_HYPERPARAMETERS",)


def _stated(
    task: TaskSpec, values: Mapping[str, Any] | None, secret: Callable[[str], str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables that a task states, and those that are secrets."""
    variables: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for each in task.env_vars or ():
        if each.secret is not None:
            secrets[each.name] = secret(each.secret)
        else:
            text = each.value or ""
            variables[each.name] = text if values is None else filled_value(each.name, text, values)
    return variables, secrets


def _ours(facts: JobFacts) -> dict[str, str]:
    leader = facts.leader or facts.hostname
    variables = {
        "SWEEPSTAKE_EXPERIMENT": facts.experiment,
        "SWEEPSTAKE_JOB_ID": facts.job_id,
        "SWEEPSTAKE_ATTEMPT": str(facts.attempt),
        "SWEEPSTAKE_TASK": facts.task,
        "SWEEPSTAKE_REPLICA_RANK": str(facts.rank),
        "SWEEPSTAKE_REPLICA_COUNT": str(facts.count),
        "SWEEPSTAKE_LEADER_HOSTNAME": leader,
        "BEAKER_EXPERIMENT_ID": facts.experiment,
        "BEAKER_JOB_ID": facts.job_id,
        "BEAKER_TASK_ID": facts.task,
        "BEAKER_REPLICA_RANK": str(facts.rank),
        "BEAKER_REPLICA_COUNT": str(facts.count),
        "BEAKER_LEADER_REPLICA_HOSTNAME": leader,
        "BEAKER_NODE_HOSTNAME": facts.hostname,
        "BEAKER_ASSIGNED_GPU_COUNT": str(len(facts.share.gpus)),
        "BEAKER_ASSIGNED_CPU_COUNT": f"{facts.share.room.cpus:g}",
    }
    text = json.dumps(facts.hyperparameters)
    variables["SWEEPSTAKE_HYPERPARAMETERS"] = text
    if facts.seed is not None:
        variables["SWEEPSTAKE_SEED"] = str(facts.seed)
    seen: dict[str, str] = {}
    for name, value in facts.hyperparameters.items():
        variable = variable_of(name)
        if variable in seen:
            raise InvalidInputError.at(
                f"hyperparameters.{name!r}", f"would be the variable {variable}, as {seen[variable]!r} is; rename one"
            )
        seen[variable] = name
        variables[variable] = value if isinstance(value, str) else json.dumps(value)
    # What no process can be started with is read from the file.
    return {name: value for name, value in variables.items() if len(value) <= _MOST_TEXT and "\0" not in value}


def _result_path(task: TaskSpec) -> str:
    """Return where a task leaves its results, in a folder of ours if it does not say that."""
    path = "" if task.result is None else task.result.path
    path = normal(path) if path.startswith("/") else "/"
    return f"{_INSIDE}/results" if path == "/" else path


def _image(task: TaskSpec, sources: Sources) -> str:
    image = task.image
    if image.docker is not None:
        if image.docker.startswith("-") or not image.docker:
            raise ConfigurationError(f"{image.docker!r} is not the name of an image")
        return image.docker
    return sources.image(image.beaker or "")
