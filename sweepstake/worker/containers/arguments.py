"""What a container engine is called with: argument lists, never a shell's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from attrs import field, frozen

from sweepstake.errors import ConfigurationError
from sweepstake.worker.tasks.run import TaskRun
from sweepstake.worker.tasks.sources import Mount

__all__ = ["Call", "Engine", "EngineKind", "list_call", "pull_call", "remove_call", "run_call", "there_call"]

#: Variables that engines read themselves, or that say where they find their parts. What a task wants them to be reaches
#: its container by a file.
_ENGINES_OWN: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|SHELL|NOTIFY_SOCKET|LISTEN_\w+|[A-Za-z]*_PROXY|[a-z]*_proxy|SSL_CERT_\w+"
    r"|(LD|XDG|DBUS|DOCKER|PODMAN|CONTAINER|CONTAINERS|BUILDAH|REGISTRY|APPTAINER|APPTAINERENV|SINGULARITY"
    r"|SINGULARITYENV|STORAGE|GO|GODEBUG|_CONTAINERS|NETAVARK|CRUN|OCI)(_\w*|\w*)"
)
#: What says which GPUs a container sees is the engine's own flag.
_VISIBLE: Final = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
#: Names that every engine takes for a name, and not for a pattern, an assignment or a comment.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
#: What divides the parts of a mount.
_DIVIDERS: Final = re.compile(r"""[,:"'\\\s]""")


class EngineKind(StrEnum):
    """The engines that are known, the best first."""

    PODMAN = "podman"
    DOCKER = "docker"
    APPTAINER = "apptainer"


@frozen(kw_only=True)
class Engine:
    """A container engine of this machine.

    Attributes:
        kind: which.
        program: its path.
        global_args: stand before its verb.
        run_args: stand before the image.
        images: the folder of the images that it keeps in files, if it is one that does.
        init: whether it has a first process for containers, which hands on signals and buries the dead.
        amd: whether the GPUs are AMD's.
    """

    kind: EngineKind
    program: str
    global_args: tuple[str, ...] = ()
    run_args: tuple[str, ...] = ()
    images: Path = Path("/nonexistent")
    init: bool = False
    amd: bool = False


@frozen(kw_only=True)
class Call:
    """A call of an engine.

    Attributes:
        arguments: the program and what follows.
        environment: variables beside the worker's own.
        file: what the file of variables holds that the engine reads; nothing if it reads none.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    file: str = field(default="", repr=False)


def run_call(engine: Engine, run: TaskRun, labels: Mapping[str, str], file: Path) -> Call:
    """Return the call that runs a container to its end.

    Args:
        engine: which.
        run: what is run.
        labels: what the container is marked with.
        file: where the variables will be written that the engine must not see as its own; see `Call.file`.

    Raises:
        ConfigurationError: a variable or a mount cannot be handed to the engine.
    """
    assert run.image is not None
    make = _apptainer if engine.kind is EngineKind.APPTAINER else _docker
    return make(engine, run, labels, file)


def there_call(engine: Engine, image: str) -> Call | None:
    """Return the call that succeeds if an image is there; None for an engine that keeps them in files."""
    if engine.kind is EngineKind.APPTAINER:
        return None
    return Call(arguments=[engine.program, *engine.global_args, "image", "inspect", "--format", "{{.Id}}", image])


def pull_call(engine: Engine, image: str, target: Path) -> Call:
    """Return the call that gets an image; it is written to the target by an engine that keeps images in files."""
    if engine.kind is EngineKind.APPTAINER:
        return Call(arguments=[engine.program, *engine.global_args, "pull", str(target), _with_scheme(image)])
    return Call(arguments=[engine.program, *engine.global_args, "pull", "--quiet", image])


def remove_call(engine: Engine, name: str) -> Call | None:
    """Return the call that kills and removes a container, if it is there; None where it is a process like others."""
    if engine.kind is EngineKind.APPTAINER:
        return None
    now = ["--time", "0", "--ignore"] if engine.kind is EngineKind.PODMAN else []
    return Call(arguments=[engine.program, *engine.global_args, "rm", "--force", "--volumes", *now, name])


def list_call(engine: Engine, label: str) -> Call | None:
    """Return the call that prints the names of all containers that have a label; None where there are none."""
    if engine.kind is EngineKind.APPTAINER:
        return None
    filtered = ["ps", "--all", "--no-trunc", "--filter", f"label={label}", "--format", "{{.Names}}"]
    return Call(arguments=[engine.program, *engine.global_args, *filtered])


# Podman and docker


def _docker(engine: Engine, run: TaskRun, labels: Mapping[str, str], file: Path) -> Call:
    assert run.image is not None
    by_name, by_file = _variables(run)
    program = list(run.command[:1])
    arguments = [
        *(engine.program, *engine.global_args, "run", "--rm", "--pull", "never", "--name", run.name),
        *(f"--label={name}={value}" for name, value in labels.items()),
        *(["--init"] if engine.init else []),
        *("--security-opt", "label=disable"),  # what is mounted belongs to the host, and keeps its labels
        *("--shm-size", f"{run.shared_memory}b"),
        *(["--memory", f"{run.memory}b"] if run.memory is not None else []),
        *(["--network", "host"] if run.host_networking and not _has_network(engine.run_args) else []),
        *_gpus(engine, run.gpus),
        *(part for mount in run.mounts for part in ("--mount", _mount(mount))),
        *(part for name in by_name for part in ("--env", name)),
        *(["--env-file", str(file)] if by_file else []),
        *(["--entrypoint", *program] if program else []),
        *engine.run_args,
        run.image,
        *run.command[1:],
        *run.arguments,
    ]
    return Call(arguments=arguments, environment=by_name, file=by_file)


def _variables(run: TaskRun) -> tuple[dict[str, str], str]:
    """Return the variables that an engine hands on from its own environment, and those that it reads from a file."""
    by_name: dict[str, str] = {}
    lines: list[str] = []
    for name, value in {**run.environment, **run.secrets}.items():
        _check_name(name)
        if name in _VISIBLE:
            continue
        if not _ENGINES_OWN.fullmatch(name):
            by_name[name] = value
        elif "\n" in value or "\r" in value:
            raise ConfigurationError(f"the variable {name} cannot have line breaks in a container")
        else:
            lines.append(f"{name}={value}\n")
    return by_name, "".join(lines)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} cannot be a variable in a container; use letters, digits and underscores")


def _has_network(arguments: Sequence[str]) -> bool:
    return any(re.match("--net(work)?(=|$)", argument) for argument in arguments)


def _gpus(engine: Engine, gpus: Sequence[str]) -> list[str]:
    if not gpus:
        return ["--env", "NVIDIA_VISIBLE_DEVICES=void"]  # of many images it is `all`, which some runtimes obey
    if engine.amd:
        groups = "keep-groups" if engine.kind is EngineKind.PODMAN else "video"
        visible = f"HIP_VISIBLE_DEVICES={','.join(gpus)}"
        return ["--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", groups, "--env", visible]
    if engine.kind is EngineKind.PODMAN:
        return [part for gpu in gpus for part in ("--device", f"nvidia.com/gpu={gpu}")]
    return ["--gpus", f'"device={",".join(gpus)}"']  # its quotes are the engine's own: it divides at commas


def _mount(mount: Mount) -> str:
    _check_plain(mount)
    return f"type=bind,source={mount.host},target={mount.path}" + ("" if mount.write else ",readonly")


def _check_plain(mount: Mount) -> None:
    for path in (str(mount.host), mount.path):
        if _DIVIDERS.search(path):
            raise ConfigurationError(f"{path!r} cannot be mounted, because of what divides paths in it")


# Apptainer


def _apptainer(engine: Engine, run: TaskRun, labels: Mapping[str, str], file: Path) -> Call:
    """Return the call; its containers are processes in the group of their command, and need no marks."""
    del labels, file
    variables = {**run.environment, **run.secrets}
    if run.gpus:
        variables["HIP_VISIBLE_DEVICES" if engine.amd else "CUDA_VISIBLE_DEVICES"] = ",".join(run.gpus)
    for name in variables:
        _check_name(name)
    for mount in run.mounts:
        _check_plain(mount)
    assert run.image is not None
    arguments = [
        *(engine.program, *engine.global_args, "exec" if run.command else "run"),
        *("--containall", "--cleanenv", "--writable-tmpfs"),
        *([("--rocm" if engine.amd else "--nv")] if run.gpus else []),
        *(f"--bind={mount.host}:{mount.path}:{'rw' if mount.write else 'ro'}" for mount in run.mounts),
        *engine.run_args,
        run.image,
        *run.command,
        *run.arguments,
    ]
    return Call(arguments=arguments, environment={f"APPTAINERENV_{name}": each for name, each in variables.items()})


def _with_scheme(image: str) -> str:
    return image if "://" in image else f"docker://{image}"
