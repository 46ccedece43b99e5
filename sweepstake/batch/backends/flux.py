"""Flux: its scripts, and what its words mean. Nothing here does I/O: see `scheduler`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.clusters import Cluster, NodeKind, cluster_of
from sweepstake.batch.backends.directives import exports, one_line
from sweepstake.batch.backends.inside import ALLOCATION
from sweepstake.batch.backends.submissions import Submission

__all__ = ["FluxDialect"]

#: Seconds before its limit at which an allocation hears that it will end.
_SIGNAL_BEFORE: Final = 60
#: What is asked of each allocation; the exception's note comes last, as it alone may hold the divider.
_FORMAT: Final = "{id.f58}|{status}|{t_remaining}|{name}|{exception.note}"
_LIST: Final = ("flux", "jobs", "-a", "--no-header", f"--format={_FORMAT}")
_STATES: Final = {
    "DEPEND": AllocationState.PENDING,
    "PRIORITY": AllocationState.PENDING,
    "SCHED": AllocationState.PENDING,
    "RUN": AllocationState.RUNNING,
    "CLEANUP": AllocationState.RUNNING,
    "COMPLETED": AllocationState.DONE,
    "FAILED": AllocationState.FAILED,
    "CANCELED": AllocationState.CANCELLED,
    "TIMEOUT": AllocationState.TIMEOUT,
}


class FluxDialect:
    """What Flux is told, and how its answers are read."""

    name = "flux"
    supports_dependencies = True
    has_arrays = False
    silences: Sequence[str] = (
        "Unable to connect to Flux",
        "Connection timed out",
        "Connection reset",
        "Broken pipe",
        "No route to host",
    )

    def script(self, submission: Submission) -> str:
        """Return what ``flux batch`` reads; the worker takes the place of the script."""
        return "\n".join(["#!/bin/bash", *_directives(submission), "", *_body(submission), ""])

    def cluster_call(self) -> Sequence[str]:
        """Return the call that asks how many nodes there are up, and what they have together."""
        return ["flux", "resource", "list", "--no-header", "--states=up", "--format={queue}|{nnodes}|{ncores}|{ngpus}"]

    def read_cluster(self, output: str, partition: str | None) -> Cluster | None:
        """Return what a queue has: Flux says it of nodes that are alike together."""
        kinds = []
        for line in output.splitlines():
            queues, nodes, cores, gpus = line.split("|")
            number = int(nodes)
            if number and (partition is None or partition in queues.split(",")):
                kinds.append(NodeKind(number=number, cpus=int(cores) // number, gpus=int(gpus) // number))
        return cluster_of(kinds)

    def variables_file(self, submission: Submission) -> Path | None:
        """Return nothing: it hands on the variables of whoever submits."""
        del submission
        return None

    def submit_call(self) -> Sequence[str]:
        """Return the call that takes a script as its input."""
        return ["flux", "batch"]

    def jobid(self, output: str) -> str:
        """Return the id in the answer to a submission."""
        return _plain(output.strip())

    def members(self, jobid: str, count: int) -> Sequence[str]:
        """Return the id of the one allocation: Flux has no arrays."""
        assert count == 1, "no array was submitted"
        return [jobid]

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is."""
        del name
        return folder / f"{jobid}.log"

    def status_call(self, jobids: Iterable[str]) -> Sequence[str]:
        """Return the one call that asks for many allocations, those that have ended as well."""
        return [*_LIST, *jobids]

    def find_call(self, names: Iterable[str]) -> Sequence[str]:
        """Return the call that asks for all of this user's allocations: Flux finds none by several names."""
        del names
        return [*_LIST, "--count=0"]

    def cancel_calls(self, named: Mapping[str, str]) -> Iterator[Sequence[str]]:
        """Give the call that ends allocations: Flux gives no id out twice."""
        if named:
            yield ["flux", "cancel", *named]

    def read(self, answer: Answer) -> Mapping[str, Allocation] | None:
        """Return what ``flux jobs`` says of each allocation that it knows, by its id; None if nobody answered."""
        if answer.code != 0 and " unknown" not in answer.errors:
            return None
        lines = [line for line in answer.output.splitlines() if line.count("|") >= _FORMAT.count("|")]
        return {each.jobid: each for each in map(_allocation, lines)}


def _directives(submission: Submission) -> Iterator[str]:
    site = submission.site
    asked: dict[str, object] = {
        "job-name": submission.name,
        "nodes": submission.nodes,
        "nslots": submission.nodes,
        "cores-per-slot": submission.cpus,
        "gpus-per-slot": submission.gpus or None,
        "time-limit": f"{math.ceil(submission.time_limit)}s",
        "signal": f"SIGUSR1@{_SIGNAL_BEFORE}s",
        "output": f"{submission.folder}/{{{{id.f58plain}}}}.log",
        "queue": site.partition,
        "bank": site.account,
        "requires": site.constraint,
    }
    for name, value in asked.items():
        if value is not None:
            yield f"#flux: --{name}={shlex.quote(one_line(name, str(value)))}"
    for jobid in submission.after:
        yield f"#flux: --dependency=afterany:{jobid}"
    for argument in site.extra:
        yield f"#flux: {one_line('--flux-arg', argument)}"


def _body(submission: Submission) -> Iterator[str]:
    yield from exports(submission.site)
    yield f'export {ALLOCATION}="$(flux getattr jobid)"'  # no variable says it to a script
    begin = "exec "
    if submission.nodes > 1:
        begin += f"flux run --nodes={submission.nodes} --ntasks={submission.nodes} --exclusive "
    yield begin + shlex.join(submission.commands[0])


def _plain(jobid: str) -> str:
    """Return an id as every terminal shows it: Flux writes its first letter as a florin where it can."""
    return f"f{jobid[1:]}" if jobid.startswith("ƒ") else jobid


def _allocation(line: str) -> Allocation:
    jobid, word, left, name, reason = line.split("|", maxsplit=4)
    state = _STATES.get(word, AllocationState.UNKNOWN)
    return Allocation(
        jobid=_plain(jobid),
        state=state,
        name=name,
        reason=reason,
        left=_left(left) if state is AllocationState.RUNNING else None,
    )


def _left(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds or None
