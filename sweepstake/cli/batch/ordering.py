"""How batches are submitted, as options and the configuration say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from attrs import evolve

from sweepstake.batch.backends.kinds import backend_of
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.planning import Capacity
from sweepstake.batch.reading import Reading
from sweepstake.batch.site import limit_seconds
from sweepstake.batch.submitting import Order
from sweepstake.cli.batch.planning import site_settings_of
from sweepstake.cli.target import Target

__all__ = ["backends_of", "chosen_backend", "order_of", "output_folder", "site_options"]

C = TypeVar("C", bound=Callable[..., Any])

_MIB: Final = 1024**2
#: Sums of fractions of processors are not exact.
_CRUMB: Final = 1e-9


def site_options(command: C) -> C:
    """Add what a scheduler is told beside what the batches need."""
    for option in (
        click.option(
            "--sbatch-arg", "extra", multiple=True, metavar="ARG", help="For the scheduler, as it is; repeatable."
        ),
        click.option("--constraint", help="Features that nodes must have."),
        click.option("--qos", help="The quality of service."),
        click.option("--account", help="Who pays."),
        click.option(
            "--time", "time_limit", metavar="LIMIT", help="Limit of an allocation, as the scheduler reads it."
        ),
    ):
        command = option(command)
    return command


def chosen_backend(target: Target, settings: Mapping[str, Any]) -> Backend:
    """Return the backend that was chosen.

    Raises:
        click.UsageError: none was.
    """
    if settings["backend"] is None:
        raise click.UsageError("Say with --backend to which scheduler: local, slurm, pbs or flux.")
    return backends_of(target)(settings["backend"])


def backends_of(target: Target) -> Callable[[str], Backend]:
    """Return what returns the backend of a name, which hands on where the store is."""
    environment = target.config().environment()
    return lambda name: backend_of(name, environment)


def output_folder(target: Target) -> Path:
    """Return where allocations leave what they print; they must find it at the same path."""
    return target.config().state / "batches"


def order_of(
    target: Target,
    experiment: str,
    read: Reading,
    capacity: Capacity,
    settings: Mapping[str, Any],
    command: Sequence[str],
) -> Order:
    """Return how to submit: what the command says comes before what the configuration does.

    Raises:
        click.UsageError: there is no command, and jobs that have none of their own.
    """
    if not command and any(read.tasks[job.id] is None for job in read.jobs):
        raise click.UsageError("Say what is run for jobs without a spec: -- COMMAND.")
    said = site_settings_of(target, settings["backend"])
    given = {name: settings[name] for name in ("partition", "account", "qos", "constraint") if settings[name]}
    text = settings["time_limit"]
    return Order(
        called=target.called(experiment),
        folder=output_folder(target),
        command=_of_worker(capacity, settings, command),
        time_limit=said.time_limit if text is None else limit_seconds(settings["backend"], text, "--time"),
        site=evolve(said.site, extra=(*said.site.extra, *settings["extra"]), **given),
        members=read.members,
        after={job: [each for each in others if each] for job, others in read.after.items()},
    )


def _of_worker(capacity: Capacity, settings: Mapping[str, Any], command: Sequence[str]) -> list[str]:
    """Return the worker's options by which it runs as many jobs side by side as the plan does."""
    if not command:
        slots = [f"cpus={capacity.cpus:g}", f"gpus={int(capacity.gpus)}"]
        if "memory" in capacity.resources:
            slots.append(f"memory={int(capacity.resources['memory'] // _MIB)}MiB")
        return ["--slots", ",".join(slots)]
    cpus, gpus = settings["cpus_per_job"], settings["gpus_per_job"]
    together = int(capacity.cpus / cpus + _CRUMB)
    if gpus:
        together = min(together, int(capacity.gpus // gpus))
    return ["--concurrency", str(max(together, 1)), "--gpus-per-job", str(gpus), "--", *command]
