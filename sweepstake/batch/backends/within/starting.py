"""How something is started on nodes of an allocation, and asked to end: what the scheduler's commands are told."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.within.held import Held

__all__ = ["environment_of", "find_step", "script_of", "start_calls", "stop_call"]

#: Variables of an allocation that srun reads as options, and that would say of a part what was asked for the whole.
_OF_THE_WHOLE: Final = (
    "SLURM_CPUS_PER_TASK",
    "SLURM_DISTRIBUTION",
    "SLURM_EXACT",
    "SLURM_EXCLUSIVE",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_MEM_PER_NODE",
    "SLURM_NNODES",
    "SLURM_NPROCS",
    "SLURM_NTASKS",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_TASKS_PER_NODE",
)


def environment_of(held: Held, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which something is started: those of the allocation, but for what misleads."""
    unwanted = _OF_THE_WHOLE if held.scheduler == "slurm" else ()
    return {name: value for name, value in environment.items() if name not in unwanted}


def script_of(arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> str:
    """Return what a shell runs on a node where a command is not handed the variables of who starts it."""
    exported = [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name.isidentifier()]
    lines = ["#!/bin/sh", f"cd {shlex.quote(folder)} || exit", *exported, f"exec {shlex.join(arguments)}"]
    return "\n".join([*lines, ""])


def start_calls(
    held: Held, nodes: Sequence[str], arguments: Sequence[str], name: str, script: Path
) -> Iterator[Sequence[str]]:
    """Give the calls that start a command on each of these nodes; each lasts as long as what it starts.

    Args:
        held: the allocation.
        nodes: some of its nodes.
        arguments: the command.
        name: what it is called, by which it is found again.
        script: a file with `script_of` it, for schedulers that need one.
    """
    number = len(nodes)
    if held.scheduler == "slurm":
        # Who starts something here knows what is free. So nothing waits for steps that have just ended (--overlap), or
        # for the shell of the person.
        yield [
            "srun",
            f"--job-name={name}",
            f"--nodes={number}",
            f"--ntasks={number}",
            "--ntasks-per-node=1",
            f"--nodelist={','.join(nodes)}",
            f"--cpus-per-task={held.cpus}",
            "--mem=0",
            "--overlap",
            "--kill-on-bad-exit=0",
            "--input=none",
            *arguments,
        ]
    elif held.scheduler == "flux":
        yield [
            "flux",
            "run",
            f"--job-name={name}",
            f"--nodes={number}",
            f"--ntasks={number}",
            "--exclusive",
            *arguments,
        ]
    else:
        for node in nodes:
            yield ["pbsdsh", "-n", node, "--", "/bin/sh", str(script)]


def find_step(scheduler: str, allocation: str) -> Sequence[str] | None:
    """Return the call that lists what runs in an allocation, as ``ID|NAME``; None if its scheduler has no names."""
    if scheduler == "slurm":
        return ["squeue", "--steps", "--noheader", f"--jobs={allocation}", "--format=%i|%j"]
    if scheduler == "flux":
        return ["flux", "jobs", "--no-header", "--format={id.f58}|{name}"]
    return None


def stop_call(scheduler: str, step: str) -> Sequence[str]:
    """Return the call that asks what runs there to end (SIGTERM)."""
    if scheduler == "slurm":
        # To srun SIGTERM means to kill at once, and so it does to scancel that is told no signal.
        return ["scancel", "--signal=TERM", step]
    return ["flux", "cancel", step]
