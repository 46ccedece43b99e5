"""`sweepstake worker --on ray`: workers on the nodes of a Ray cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final

import click

from sweepstake.cli.output import say
from sweepstake.cli.target import Target
from sweepstake.cli.working.leashed import PROGRAM
from sweepstake.cli.working.options import How
from sweepstake.config import Config
from sweepstake.errors import ConfigurationError, MissingExtraError
from sweepstake.plaintext import counted
from sweepstake.worker.expansion import check_command
from sweepstake.worker.slots.offer import slots_of
from sweepstake.worker.slots.room import Slots
from sweepstake.worker.stopping import Stop, heeded_signals

__all__ = ["work_on_ray"]

#: Seconds without a job after which a worker ends.
_IDLE: Final = 20.0
#: Options of a worker that are its own affair, or say what is said here.
_OURS: Final = ("command", "experiments", "on", "cpus_per_job", "quiet", "idle", "slots")


def work_on_ray(target: Target, command: click.Command, settings: Mapping[str, Any]) -> int:
    """Keep so many workers up on a Ray cluster as there is work for; return the exit code.

    Args:
        target: the store.
        command: `sweepstake worker`.
        settings: what its options say.
    """
    experiments, arguments = settings["experiments"], settings["command"]
    if not experiments:
        raise click.UsageError(
            "With --on ray experiments are named, as there are as many workers as they have jobs for."
        )
    if settings["batch"] is not None or settings["fill"] or settings["max_jobs"] is not None:
        raise click.UsageError(
            "--batch, --fill and --max-jobs do not go with --on ray, where there are several workers."
        )
    if find_spec("ray") is None:
        raise MissingExtraError.of("--on ray needs Ray", "ray")
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        raise ConfigurationError(
            "RAY_ADDRESS is not set; set it to the address of the cluster, such as 10.0.0.1:6379 (`ray start --head` "
            "says it), or to auto on one of its nodes"
        )
    if target.url is not None:
        _begin_again_without_url(target)
    if arguments:
        check_command(arguments, [target.called(name) for name in experiments])
    idle = _IDLE if settings["idle"] is None else settings["idle"]
    order = _order(target, command, {**settings, "idle": idle})
    return _work(target, address, order, settings, idle)


def _work(target: Target, address: str, order: bytes, settings: Mapping[str, Any], idle: float) -> int:
    # Ray takes a second to load, and is there only where the extra is.
    from sweepstake.batch.ray.cluster import connected
    from sweepstake.batch.ray.crew import Crew
    from sweepstake.batch.ray.watch import Watch

    tell = How(**{name: settings[name] for name in ("allow_empty_results", "timeout", "grace", "quiet")}).tell
    size = _size(settings)
    found = [target.experiment(name) for name in settings["experiments"]]
    with connected(address) as cluster:
        _check_reach(target.config(), [each.host for each in cluster.nodes()])
        with heeded_signals() as signals, closing(Crew(cluster, order, size, Watch(found, tell), idle, tell)) as crew:
            ended = crew.run(signals)
    if ended.left and ended.stopped_by is None:
        called = target.called(settings["experiments"][0])
        say(f"{counted(ended.left, 'job')} left that no worker took: `sweepstake why {called}` says why.", err=True)
    if ended.stopped_by is not None and ended.step > Stop.DRAIN:
        return 128 + ended.stopped_by
    return ended.code


def _size(settings: Mapping[str, Any]) -> Any:
    """Return what each worker is given."""
    from sweepstake.batch.ray.crew import Size

    jobs = settings["concurrency"] if settings["command"] else None
    if settings["slots"] is not None:
        slots = slots_of(settings["slots"], Slots(cpus=0.0, gpus=(), memory=0))
        amounts = {"CPU": slots.cpus, "GPU": float(len(slots.gpus)), "memory": float(slots.memory)}
    elif jobs is not None:
        amounts = {"CPU": jobs * settings["cpus_per_job"], "GPU": float(jobs * settings["gpus_per_job"])}
    else:
        return Size(resources=None, jobs=None)
    return Size(resources={kind: amount for kind, amount in amounts.items() if amount}, jobs=jobs)


def _check_reach(config: Config, hosts: Sequence[str]) -> None:
    """Raise if other nodes cannot reach the store."""
    import socket

    from sweepstake.batch.ray.orders import only_here

    others = sorted({each for each in hosts if each != socket.gethostname()})
    why = only_here(config.url)
    if others and why:
        raise ConfigurationError(f"{why}; the cluster has other nodes: {', '.join(others)}")


# How a worker is started on a node


def _order(target: Target, command: click.Command, settings: Mapping[str, Any]) -> bytes:
    from sweepstake.batch.ray.orders import written_order

    try:
        ours = version("sweepstake")
    except PackageNotFoundError:
        raise ConfigurationError(
            "this Sweepstake is not installed, so nodes cannot have the same; install it"
        ) from None
    arguments = [*settings["experiments"], "--idle", f"{settings['idle']:.17g}"]
    arguments += _options(command, settings)
    if settings["slots"] is not None:
        arguments += ["--slots", settings["slots"]]
    if settings["command"]:
        arguments += ["--", *settings["command"]]
    return written_order(target.config(), PROGRAM, arguments, target.owner, ours)


def _options(command: click.Command, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options that were given, as they are typed."""
    for option in command.params:
        value = settings.get(option.name or "")
        if not isinstance(option, click.Option) or option.name in _OURS or value in (None, False, ()):
            continue
        if option.is_flag:
            yield option.opts[0]
            continue
        for each in value if option.multiple else (value,):
            yield f"{option.opts[0]}={each}"


def _begin_again_without_url(target: Target) -> None:
    """Run this command anew with the URL in its environment: Ray's dashboard shows the command line of who connects."""
    arguments = sys.argv[1:]
    before = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
    environment = {**os.environ, "SWEEPSTAKE_URL": target.config().url}
    target.close()
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *before[1:], *_without_url(arguments)], environment)  # noqa: S606


def _without_url(arguments: Sequence[str]) -> Iterator[str]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = iter(arguments[:end])
    for each in rest:
        if each in ("--url", "--store"):
            next(rest, None)
        elif not each.startswith(("--url=", "--store=")):
            yield each
    yield from arguments[end:]
