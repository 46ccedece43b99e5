"""Slurm: its scripts, and what its words mean. Nothing here does I/O: see `scheduler`."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.clusters import Cluster, NodeKind, cluster_of
from sweepstake.batch.backends.directives import exports, one_line
from sweepstake.batch.backends.limits import slurm_limit, slurm_seconds
from sweepstake.batch.backends.submissions import Submission
from sweepstake.errors import InvalidInputError

__all__ = ["SlurmDialect", "gpus_in"]

#: Seconds before its limit at which an allocation hears that it will end; Slurm may say so up to a minute earlier.
_SIGNAL_BEFORE: Final = 60
#: What is asked of each allocation; the reason comes last, as it alone may hold the divider.
_FORMAT: Final = "%i|%T|%L|%j|%r"
#: What is asked of nodes: partition, number, processors, memory in MB, GPUs and the like, longest limit, state.
_NODES: Final = "%P|%D|%c|%m|%G|%l|%a"
#: ``gpu:2``, ``gpu:a100:4(S:0-1)``; numbers may be marked by what the node's memory is bound to.
_GPUS: Final = re.compile(r"(?:^|,)gpu(?::[^:,()]+)?:(\d+)")
_QUEUE: Final = ("squeue", "--all", "--noheader", "--array", "--states=all", f"--format={_FORMAT}")
#: What stands in the place of a task's number where a whole array is meant.
_WHOLE_ARRAY: Final = "4294967294"

_STATES: Final = {
    "PENDING": AllocationState.PENDING,
    "REQUEUED": AllocationState.PENDING,
    "REQUEUE_HOLD": AllocationState.PENDING,
    "REQUEUE_FED": AllocationState.PENDING,
    "SPECIAL_EXIT": AllocationState.PENDING,
    "CONFIGURING": AllocationState.RUNNING,
    "RUNNING": AllocationState.RUNNING,
    "SUSPENDED": AllocationState.RUNNING,
    "STOPPED": AllocationState.RUNNING,
    "SIGNALING": AllocationState.RUNNING,
    "RESIZING": AllocationState.RUNNING,
    "COMPLETING": AllocationState.RUNNING,
    "STAGE_OUT": AllocationState.RUNNING,
    "COMPLETED": AllocationState.DONE,
    "FAILED": AllocationState.FAILED,
    "BOOT_FAIL": AllocationState.NODE_FAIL,
    "NODE_FAIL": AllocationState.NODE_FAIL,
    "OUT_OF_MEMORY": AllocationState.FAILED,
    "TIMEOUT": AllocationState.TIMEOUT,
    "DEADLINE": AllocationState.TIMEOUT,
    "CANCELLED": AllocationState.CANCELLED,
    "REVOKED": AllocationState.CANCELLED,
    "PREEMPTED": AllocationState.PREEMPTED,
}
#: Reasons, or how they begin, for which an allocation waits until somebody changes it or the cluster.
_HOPELESS: Final = (
    "AccountNotAllowed",
    "AssocMaxWallDurationPerJobLimit",
    "BadConstraints",
    "DependencyNeverSatisfied",
    "InvalidAccount",
    "InvalidQOS",
    "JobHeld",
    "MaxBillingPerJob",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "QOSMaxWallDurationPerJobLimit",
    "QOSNotAllowed",
    "launch failed requeued held",
    "job requeued in held state",
)
#: A limit of one allocation, and not of all that somebody has at a time.
_OF_ONE: Final = ("PerJob", "PerNode", "PerJobLimit", "PerNodeLimit")


class SlurmDialect:
    """What Slurm is told, and how its answers are read."""

    name = "slurm"
    supports_dependencies = True
    has_arrays = True
    silences: Sequence[str] = (
        "Unable to contact slurm controller",
        "Socket timed out",
        "Zero Bytes were transmitted",
        "Communication connection failure",
        "Communication shutdown failure",
        "Unexpected message received",
    )

    def script(self, submission: Submission) -> str:
        """Return what ``sbatch`` reads.

        The worker takes the place of the script (``exec``): a script that waits for it would be ended first by the
        signal that is meant for it. An array is one script, which looks up the command of its number.
        """
        return "\n".join(["#!/bin/bash", *_directives(submission), "", *_body(submission), ""])

    def cluster_call(self) -> Sequence[str]:
        """Return the call that asks for nodes that are alike, by partition."""
        return ["sinfo", "--noheader", "--exact", "--responding", f"--format={_NODES}"]

    def read_cluster(self, output: str, partition: str | None) -> Cluster | None:
        """Return what a partition has, or the usual one, which Slurm marks."""
        kinds, longest = [], None
        for line in output.splitlines():
            name, number, cpus, memory, gres, limit, up = line.split("|")
            wanted = name.removesuffix("*") == partition if partition is not None else name.endswith("*")
            if wanted and up == "up":
                longest = _left(limit)
                gpus = gpus_in(gres)
                kinds.append(NodeKind(number=int(number), cpus=int(cpus), gpus=gpus, memory=int(memory) * 1024**2))
        return cluster_of(kinds, longest)

    def variables_file(self, submission: Submission) -> Path | None:
        """Return nothing: it hands on the variables of whoever submits."""
        del submission
        return None

    def submit_call(self) -> Sequence[str]:
        """Return the call that takes a script as its input."""
        return ["sbatch", "--parsable"]

    def jobid(self, output: str) -> str:
        """Return the id in the answer to a submission, which may name a cluster behind it."""
        return output.strip().partition(";")[0]

    def members(self, jobid: str, count: int) -> Sequence[str]:
        """Return the id of each allocation of a submission."""
        return [jobid] if count == 1 else [f"{jobid}_{number}" for number in range(count)]

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is."""
        del name
        return folder / f"{jobid}.log"

    def status_call(self, jobids: Iterable[str]) -> Sequence[str]:
        """Return the one call that asks for many allocations, those that have just ended as well."""
        return [*_QUEUE, f"--jobs={','.join(jobids)}"]

    def find_call(self, names: Iterable[str]) -> Sequence[str]:
        """Return the call that asks which allocations have these names."""
        return [*_QUEUE, f"--name={','.join(names)}"]

    def cancel_calls(self, named: Mapping[str, str]) -> Iterator[Sequence[str]]:
        """Give the calls that cancel allocations: each only if it still has the name that it was submitted with."""
        by_name: dict[str, list[str]] = {}
        for jobid, name in named.items():
            by_name.setdefault(name, []).append(jobid)
        for name, jobids in by_name.items():
            yield ["scancel", f"--name={name}", *jobids]

    def read(self, answer: Answer) -> Mapping[str, Allocation] | None:
        """Return what ``squeue`` says of each allocation that it knows, by its id; None if nobody answered.

        Tasks of an array that never began may stand under the array's own id, once they were cancelled together.
        """
        if answer.code != 0:
            return {} if "Invalid job id" in answer.errors else None
        lines = [line for line in answer.output.splitlines() if line.count("|") >= _FORMAT.count("|")]
        return {each.jobid: each for each in map(_allocation, lines)}


def gpus_in(gres: str) -> int:
    """Return how many GPUs are among generic resources as Slurm lists them."""
    return sum(int(found[1]) for found in _GPUS.finditer(gres))


def _directives(submission: Submission) -> Iterator[str]:
    site = submission.site
    asked: dict[str, object] = {
        "job-name": submission.name,
        "comment": submission.name,
        "nodes": submission.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": submission.cpus,
        "gpus-per-node": submission.gpus or None,
        "mem": None if submission.memory is None else f"{math.ceil(submission.memory / 1024**2)}M",
        "time": slurm_limit(submission.time_limit),
        # On several nodes srun would hand it on to every process, jobs that know nothing of it among them.
        "signal": f"B:USR1@{_SIGNAL_BEFORE}" if submission.nodes == 1 else None,
        "array": f"0-{len(submission.commands) - 1}" if submission.is_array else None,
        "dependency": f"afterany:{':'.join(submission.after)}" if submission.after else None,
        "output": str(submission.folder / ("%A_%a.log" if submission.is_array else "%j.log")),
        "partition": site.partition,
        "account": site.account,
        "qos": site.qos,
        "constraint": site.constraint,
    }
    for name, value in asked.items():
        if value is not None:
            yield f"#SBATCH --{name}={shlex.quote(one_line(name, str(value)))}"
    yield "#SBATCH --no-requeue"
    yield "#SBATCH --open-mode=append"
    for argument in site.extra:
        yield f"#SBATCH {one_line('--sbatch-arg', argument)}"


def _body(submission: Submission) -> Iterator[str]:
    yield from exports(submission.site)
    begin = "exec "
    if submission.nodes > 1:
        begin += f"srun --nodes={submission.nodes} --ntasks-per-node=1 --kill-on-bad-exit=0 "
    if not submission.is_array:
        yield begin + shlex.join(submission.commands[0])
        return
    yield 'case "$SLURM_ARRAY_TASK_ID" in'
    for number, command in enumerate(submission.commands):
        yield f"{number}) {begin}{shlex.join(command)} ;;"
    yield "esac"


def _allocation(line: str) -> Allocation:
    jobid, words, left, name, reason = line.split("|", maxsplit=4)
    state = _STATES.get(words.split()[0] if words else "", AllocationState.UNKNOWN)
    return Allocation(
        jobid=jobid.removesuffix(f"_{_WHOLE_ARRAY}"),
        state=state,
        name=name,
        reason="" if reason == "None" else reason,
        left=_left(left) if state is AllocationState.RUNNING else None,
        hopeless=state is AllocationState.PENDING and _is_hopeless(reason),
        ending=words.startswith("COMPLETING"),
    )


def _left(text: str) -> float | None:
    try:
        return slurm_seconds(text)
    except InvalidInputError:  # UNLIMITED, INVALID, NOT_SET, 0:00
        return None


def _is_hopeless(reason: str) -> bool:
    return reason.strip("()").startswith(_HOPELESS) or reason.endswith(_OF_ONE)
