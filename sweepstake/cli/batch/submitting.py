"""`sweepstake batch submit`, `status` and `cancel`: batches on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from attrs import evolve

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.cancelling import cancel_batches, wait_ended
from sweepstake.batch.packing import backends_of, output_folder
from sweepstake.batch.preparing import prepare
from sweepstake.batch.settling import all_batches, settle
from sweepstake.batch.wishes import Wishes
from sweepstake.cli.batch.interrupting import INTERRUPTED, ask_to_end, tell_running
from sweepstake.cli.batch.planning import nothing_in, planning_options, search_option, site_options, tree_of, wishes_of
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, print_rows, say, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.domain.status import JobStatus
from sweepstake.errors import NotFoundError
from sweepstake.plaintext import counted, printable
from sweepstake.view.times import spanning

__all__ = ["cancel", "logs", "status", "submit", "with_backend"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@planning_options
@search_option
@site_options
@click.option("--dry-run", is_flag=True, help="Show the scripts that would be submitted; submit nothing.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND]")
@wide_option
@format_option
@pass_target
def submit(
    target: Target,
    /,
    experiment: str,
    command: Sequence[str],
    dry_run: bool,
    wide: bool,
    format_: str,
    **settings: Any,
) -> int:
    """Submit the queued jobs of EXPERIMENT to a cluster.

    They are packed as `batch plan` shows. COMMAND is run for each job; jobs of a spec have their own. What is under
    way already is not submitted again.
    """
    found = target.experiment(experiment)
    wishes = with_backend(settings, command)
    prepared = prepare(found, evolve(wishes, jobs=None) if dry_run else wishes)
    for each in prepared.read.left_out:
        say(f"{each}.", err=True)
    if not prepared.batches:
        if format_ == "json":
            as_json([])
        else:
            say(nothing_in(target.called(experiment), prepared))
        return 0
    if prepared.lacks_command:
        raise click.UsageError("Say what is run for jobs without a spec: -- COMMAND.")
    if dry_run:
        say("\n".join(prepared.scripts()))
        return 0
    try:
        made = [record for record, _ in prepared.submit()]
    except KeyboardInterrupt:
        before = {(each.id, each.number) for each in prepared.live}
        ask_to_end(target, experiment, found, lambda each: (each.id, each.number) not in before)
        return INTERRUPTED
    if format_ == "json":
        as_json([_tree(each, tree_of(spec, prepared)) for each, spec in zip(made, prepared.batches, strict=True)])
        return 0
    print_rows([_row(each) for each in made], wide=wide)
    jobs = sum(len(each.jobs) for each in made)
    say(f"{counted(jobs, 'job')} in {counted(len(made), 'batch', 'batches')} submitted to {settings['backend']}.")
    return 0


def with_backend(settings: Mapping[str, Any], command: Sequence[str]) -> Wishes:
    """Return what the options say, with a scheduler.

    Raises:
        click.UsageError: none was chosen.
    """
    if settings["backend"] is None:
        raise click.UsageError("Say with --backend to which scheduler: local, slurm, pbs or flux.")
    return wishes_of(settings, command)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@wide_option
@format_option
@pass_target
def status(target: Target, experiment: str, wide: bool, format_: str) -> None:
    """Show how the batches of EXPERIMENT stand.

    A line for each that is not over: its jobs by state, its allocation, and how much of its time is left.
    """
    found = target.experiment(experiment)
    told = settle(found, backends_of(found))
    if format_ == "json":
        as_json([_tree(record, {}) for record, _ in told])
        return
    if not told:
        say("No batch is under way.")
        return
    rows = []
    for record, allocation in told:
        row = _row(record)
        row["left"] = spanning(allocation.left) if allocation is not None and allocation.left is not None else ""
        row["reason"] = _reason(record, allocation)
        rows.append(row)
    print_rows(rows, wide=wide)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("batches", nargs=-1, metavar="[BATCH]...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_target
def cancel(target: Target, experiment: str, batches: Sequence[str], yes: bool) -> int:
    """End allocations.

    All of EXPERIMENT's batches, or those that are named. Jobs that run there are given back to the queue, and are
    submitted again by the next `batch submit`. It waits until that is done: where a worker was killed, until the lease
    of its jobs is over.
    """
    found = target.experiment(experiment)
    settle(found, backends_of(found))
    named = [each for each in all_batches(found) if not batches or any(each.id.startswith(name) for name in batches)]
    chosen = [each for each in named if each.status is not BatchStatus.ENDED]
    left = [each for each in named if each.status is BatchStatus.ENDED and each.counts.running]
    if chosen and not yes:
        click.confirm(f"End {counted(len(chosen), 'allocation')}?", abort=True)
    try:
        if not chosen:
            say("No batch is under way." if not batches else "No such batch is under way.")
        cancel_batches(found, chosen, backends_of(found))
        if chosen:
            say(f"{counted(len(chosen), 'allocation')} ended.")
        if chosen or left:
            tell_running(target, experiment, wait_ended(found, [*chosen, *left], backends_of(found)))
    except KeyboardInterrupt:
        them = {(each.id, each.number) for each in chosen}
        ask_to_end(target, experiment, found, lambda each: (each.id, each.number) in them)
        return INTERRUPTED
    return 0


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("batch_id", metavar="BATCH")
@pass_target
def logs(target: Target, experiment: str, batch_id: str) -> None:
    """Print what an allocation printed.

    That of EXPERIMENT's batch whose id begins with BATCH, of its last submission. What its jobs printed is told by
    `sweepstake logs`.
    """
    found = target.experiment(experiment)
    last = None
    for each in all_batches(found):
        last = each if each.id.startswith(batch_id) else last
    if last is None:
        raise NotFoundError(f"There is no batch {printable(batch_id)!r} of {target.called(experiment)}.")
    if last.jobid is None:
        say(f"The batch {last.id[:8]} has no allocation: {last.reason or last.status}.", err=True)
        return
    path = backends_of(found)(last.backend).log(output_folder(found), last.name, last.jobid)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        say(f"The allocation {last.jobid} has printed nothing yet into {path}.", err=True)
        return
    say(content.decode(errors="replace").rstrip("\n"))


def _reason(record: BatchRecord, allocation: Allocation | None) -> str:
    """Return why a batch stands as it does, or why its scheduler does not say."""
    if allocation is None:
        return record.reason
    if allocation.state is AllocationState.UNKNOWN:
        return allocation.reason or record.reason
    return ("hopeless: " if allocation.hopeless else "") + record.reason


def _tree(record: BatchRecord, planned: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": record.id,
        "jobs": list(record.jobs),
        "nodes": record.nodes,
        "estimated_runtime": record.estimated_runtime,
        "timeout": record.timeout,
        "dependencies": list(record.dependencies),
        **planned,
        "jobid": record.jobid,
        "allocation": record.allocation,
        "counts": _counts(record),
    }


def _counts(record: BatchRecord) -> dict[str, int]:
    counts = record.counts
    by_state = {
        JobStatus.QUEUED: counts.ready + counts.blocked + counts.delayed,
        JobStatus.RUNNING: counts.running,
        JobStatus.DONE: counts.done,
        JobStatus.CRASHED: counts.crashed,
        JobStatus.PRUNED: counts.pruned,
    }
    return {str(state): number for state, number in by_state.items() if number}


def _row(record: BatchRecord) -> dict[str, Any]:
    return {
        "batch": record.id[:8],
        "jobid": record.jobid or "",
        "allocation": str(record.allocation or record.status),
        "jobs": ", ".join(f"{number} {state}" for state, number in _counts(record).items()),
        "nodes": record.nodes,
        "limit": spanning(record.timeout or 0.0),
    }
