"""`sweepstake run` and `sweepstake worker`: a command for each job."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from functools import cache, partial
from typing import Any, Final

import click
from attrs import evolve

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.renamed import Renamed
from sweepstake.cli.target import Target, pass_target
from sweepstake.cli.working.allocations import SUBMISSION, begin
from sweepstake.cli.working.options import (
    CommandBehindDashes,
    How,
    Seconds,
    command_options,
    concurrency_option,
    max_jobs_option,
)
from sweepstake.client import Experiment, Session
from sweepstake.client.attempt.process import PROCESS
from sweepstake.config import Config
from sweepstake.domain.status import Outcome
from sweepstake.plaintext import printable
from sweepstake.worker.allocation.deadline import GRACE
from sweepstake.worker.allocation.duty import IDLE
from sweepstake.worker.attempt import Plan
from sweepstake.worker.duty import CommandDuty, Duty
from sweepstake.worker.expansion import check_command
from sweepstake.worker.heartbeat_process import HeartbeatProcess
from sweepstake.worker.machine import check_folders, check_program
from sweepstake.worker.pacing.agenda import Options, Summary
from sweepstake.worker.running import Worker
from sweepstake.worker.stopping import Stop
from sweepstake.worker.tasks.keeping import INTERVAL, KeepOptions
from sweepstake.worker.tasks.machine import TaskOptions, gpu_book, open_duty
from sweepstake.worker.tasks.registering import registered
from sweepstake.worker.tasks.trusting import own_names, trusted_experiments

__all__ = ["run", "worker"]

#: Exit code of a worker whose machine crashes job after job (EX_UNAVAILABLE of sysexits.h).
_UNFIT: Final = 69


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option("--once", is_flag=True, hidden=True, help="Run one job only.")
@click.option("--ignore-errors", is_flag=True, help="Go on with the next job after one that crashed.")
@concurrency_option
@click.option(
    "--idle",
    "--wait",
    cls=Renamed,
    type=Seconds(),
    default=0.0,
    show_default=True,
    help="End after so many seconds without a job.",
)
@max_jobs_option
@command_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_target
@click.pass_context
def run(
    context: click.Context,
    target: Target,
    /,
    experiment: str,
    command: Sequence[str],
    once: bool,
    ignore_errors: bool,
    concurrency: int,
    idle: float,
    max_jobs: int | None,
    **how: Any,
) -> None:
    """Run COMMAND for each job of an experiment.

    It ends when there is no job left. Jobs that are delayed, or wait for running ones, are waited for.

    \b
    In the command:
      %h  --NAME VALUE for each hyperparameter (text as it is, all else as JSON);
          --NAME=VALUE where the value begins with a dash
      %H  --NAME=VALUE for each hyperparameter
      %e  the experiment's name      %j  the job's id      %%  a percent sign
    As arguments of their own they are exactly that; in the script of sh -c they
      are quoted; where they could become code, only plain text is taken

    \b
    Results: a block on standard output between the lines --- RESULTS --- and
      --- END RESULTS ---, of one JSON object or of lines NAME: VALUE;
      or a JSON object in the file SWEEPSTAKE_RESULTS_PATH

    \b
    Exit code: 0 done, 75 give the job back to the queue, anything else crashed

    \b
    Environment:
      SWEEPSTAKE_EXPERIMENT, _JOB_ID, _ATTEMPT, _HYPERPARAMETERS (JSON),
      _RESULTS_PATH, _CHECKPOINT_DIR (the same in every attempt),
      _DEADLINE (Unix time, if there is a timeout)

    Ctrl-C or SIGTERM ends the commands and gives their jobs back to the queue. The output is passed through, and kept
    for `sweepstake show EXPERIMENT JOB`.

    \b
    Example:
      sweepstake run mnist -- python train.py %h
    """
    options = Options(
        idle=idle,
        max_jobs=1 if once else max_jobs,
        stop_on_crash=once or not ignore_errors,
    )
    summary = _run_command(target, [experiment], command, concurrency, options, How(**how))
    if summary.stopped_by is not None:
        context.exit(128 + summary.stopped_by)
    context.exit(1 if summary.outcomes[Outcome.CRASHED] else 0)


@click.command(cls=CommandBehindDashes)
@click.argument("experiments", type=EXPERIMENT, nargs=-1, metavar="[EXPERIMENT...]")
@concurrency_option
@click.option(
    "--idle",
    type=Seconds(),
    help="End after so many seconds without a job; by default it waits until it is told to stop, with --on 20 seconds.",
)
@max_jobs_option
@click.option(
    "--drain",
    type=Seconds(),
    help="Seconds for which running jobs may go on after the first signal; by default as long as they take.",
)
@click.option(
    "--crashes",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Stop after so many jobs in a row that crashed quickly; 0 to go on whatever happens.",
)
@click.option(
    "--quickly",
    type=Seconds(above_zero=True),
    default=10.0,
    show_default=True,
    help="Seconds within which a crash is quick.",
)
@click.option(
    "--slots",
    metavar="AMOUNTS",
    help="What it uses of this machine, such as cpus=8,gpus=2,memory=32GiB; by default all that it may.",
)
@click.option(
    "--label",
    multiple=True,
    metavar="NAME=VALUE",
    help="What it is, such as cluster=ai2/jupiter, for tasks that may run only there; several times, also of one name.",
)
@click.option("--gpus-per-job", type=click.IntRange(0), default=0, help="GPUs that each job of COMMAND has to itself.")
@click.option(
    "--cpus-per-job",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="With --on: CPUs of the cluster that each job of COMMAND counts for.",
)
@click.option(
    "--keep",
    type=click.IntRange(0),
    metavar="N",
    help="Keep the files of so many earlier attempts of a job beside its last, and of its DONE one; by default of all.",
)
@click.option(
    "--copy-every",
    type=Seconds(above_zero=True),
    default=INTERVAL,
    show_default=True,
    help="Seconds between two looks for files that a running task has changed, which are kept with the store.",
)
@click.option(
    "--batch",
    type=SUBMISSION,
    help="Run the jobs of this submission of a batch, in the allocation of a cluster that it was submitted for.",
)
@click.option("--fill", is_flag=True, help="With --batch: run other jobs while none of the batch's own can begin.")
@click.option(
    "--on",
    type=click.Choice(["ray"]),
    help="Run workers on the nodes of the Ray cluster at RAY_ADDRESS, as many as there is work for.",
)
@click.option("--no-container", is_flag=True, help="Run tasks on this host, whatever their image.")
@click.option(
    "--trust",
    multiple=True,
    metavar="OWNER",
    help="Run the tasks of all experiments of this user as well; '' for those without an owner.",
)
@command_options
@pass_target
@click.pass_context
def worker(
    context: click.Context,
    target: Target,
    /,
    on: str | None,
    **settings: Any,
) -> None:
    """Run COMMAND, or tasks of specs, for jobs as they come.

    Without a command it runs the tasks that jobs carry, as many side by side as its slots allow, in containers: of the
    experiments that are named, else of your own. In a store of one's own these are all; through a server those that you
    made. Another user's experiment is passed over, also if it is shared with you, unless it is named or its owner is
    trusted.

    The command is as for `sweepstake run`. Experiments take turns, one job each, in the order they are named; those
    without a job are asked again after 0.1 to 5 seconds. While the store is away, running jobs go on, and their
    reports are tried again.

    \b
    First SIGINT or SIGTERM: no more jobs; the running ones go on to their end,
      or for --drain seconds
    Second: commands get SIGTERM, SIGKILL after --grace seconds; their jobs go
      back to the queue
    Third: commands are killed at once

    \b
    Exit code:
      0      it ended as it was told, whatever became of the jobs
      69     this machine seems unfit: --crashes jobs in a row crashed within
             --quickly seconds each
      128+n  signal n ended running jobs
      1      an error of its own
      2      wrong usage

    Until a job is done, or has run for --quickly seconds, no more than --crashes run side by side.

    With --batch it begins the batch first, and ends with exit code 0 if that is over, or another allocation has begun
    it. It takes the batch's jobs in their order, none whose estimate is longer than what is left of the allocation, and
    ends when none of them can begin any more. What runs 10 seconds before the end of the allocation is given back, as
    it is by the first signal: its commands have --grace seconds, at most 5. SIGUSR1 in the last half minute: no more
    jobs.

    With --on ray it starts workers on the nodes of a Ray cluster, each with room for --concurrency jobs, or for tasks
    with a whole node (or --slots of one). More begin while more waits; it ends when nothing waits or runs any more.

    \b
    Example:
      sweepstake worker mnist cifar --concurrency 4 -- python train.py %h
    """
    if on is not None:
        from sweepstake.cli.working.on_ray import work_on_ray

        context.exit(work_on_ray(target, context.command, settings))
    context.exit(exit_code(run_worker(target, **settings)))


def exit_code(summary: Summary | None) -> int:
    """Return the exit code of a worker that did this, and tell what is to be mended; None is one that did nothing."""
    if summary is None:
        return 0
    if summary.tripped:
        remedy = "mend it, or set --crashes (0 goes on whatever happens)"
        click.echo(f"Error: this machine seems unfit: {printable(summary.tripped)}; {remedy}", err=True)
        return _UNFIT
    if summary.stopped_by is not None and summary.step > Stop.DRAIN:
        return 128 + summary.stopped_by
    return 0


def run_worker(
    target: Target,
    *,
    experiments: Sequence[str],
    command: Sequence[str],
    concurrency: int,
    idle: float | None,
    max_jobs: int | None,
    drain: float | None,
    crashes: int,
    quickly: float,
    slots: str | None,
    label: Sequence[str],
    gpus_per_job: int,
    keep: int | None,
    copy_every: float,
    batch: tuple[str, int] | None,
    fill: bool,
    no_container: bool,
    trust: Sequence[str],
    cpus_per_job: float = 1.0,
    **how: Any,
) -> Summary | None:
    """Be the worker that these options of `sweepstake worker` ask for, to its end; None if its batch is not for it."""
    del cpus_per_job  # counts where there are others to share a machine with
    options = Options(
        idle=idle,
        max_jobs=max_jobs,
        drain=math.inf if drain is None else drain,
        crashes=crashes,
        quickly=quickly,
    )
    if command and not experiments:
        raise click.UsageError("A command is run for jobs of experiments that are named.")
    if fill and batch is None:
        raise click.UsageError("--fill goes with --batch.")
    if batch is not None and (len(experiments) != 1 or idle is not None or drain is not None):
        raise click.UsageError("A batch is of one experiment, and --idle and --drain do not go with it.")
    ways = How(**how)

    def work(options: Options, ways: How, wrap: Callable[[Duty], Duty]) -> Summary:
        if command:
            return _run_command(
                target, experiments, command, concurrency, options, ways, wrap, gpus_per_job=gpus_per_job, slots=slots
            )
        how_kept = KeepOptions(interval=copy_every, keep=keep)
        tasks = TaskOptions(slots=slots, labels=label, contained=not no_container, keep=how_kept)
        return _run_tasks(target, experiments, trust, tasks, options, ways, wrap)

    if batch is None:
        return work(options, ways, _as_it_is)
    begun = begin(target.experiment(experiments[0]), *batch, fill=fill, tell=ways.tell)
    if begun is None:
        return None
    with begun.ending() as ended:
        within = evolve(options, idle=IDLE, drain=0.0, deadline=begun.deadline)
        summary = work(within, evolve(ways, grace=min(ways.grace, GRACE)), begun.duty)
        ended(summary)
    return summary


def _as_it_is(duty: Duty) -> Duty:
    return duty


def _run_command(
    target: Target,
    experiments: Sequence[str],
    command: Sequence[str],
    concurrency: int,
    options: Options,
    how: How,
    wrap: Callable[[Duty], Duty] = _as_it_is,
    *,
    gpus_per_job: int = 0,
    slots: str | None = None,
) -> Summary:
    """Run a command for jobs until a worker's end."""
    called = [target.called(name) for name in experiments]
    check_command(command, called)
    config = target.config()
    check_program(command, called)
    check_folders(config)
    found = [target.experiment(name) for name in experiments]
    with gpu_book(slots) if gpus_per_job else nullcontext() as book:
        duty = CommandDuty(tuple(command), config.environment(), concurrency, gpus_per_job, book)
        return _work(config, how, found[0].session, found, wrap(duty), how.plan(several=concurrency > 1), options)


def _run_tasks(
    target: Target,
    experiments: Sequence[str],
    trusted: Sequence[str],
    tasks: TaskOptions,
    options: Options,
    how: How,
    wrap: Callable[[Duty], Duty],
) -> Summary:
    """Run tasks of specs until a worker's end."""
    config = target.config()
    check_folders(config)
    own = cache(lambda: own_names(target.database(), config.url))

    def is_own(experiment: Experiment) -> bool:
        names = own()
        return names is None or (experiment.owner or "") in names

    with open_duty(config, evolve(tasks, is_own=is_own), how.tell) as duty:
        database = target.database()
        found = [target.experiment(name) for name in experiments]
        names = () if experiments else own()
        owners = None if names is None else (*trusted, *names)
        plan = how.plan(several=True, allow_empty=True)
        others = None if owners == () else partial(trusted_experiments, database, owners, set(), how.tell)
        with registered(database.session.queue, PROCESS.worker, duty.slots, duty.free):
            inherited = (duty.living.descriptor,)
            return _work(config, how, database.session, found, wrap(duty), plan, options, others, inherited)


def _work(
    config: Config,
    how: How,
    session: Session,
    experiments: Sequence[Experiment],
    duty: Duty,
    plan: Plan,
    options: Options,
    discover: Callable[[], Iterable[Experiment]] | None = None,
    inherited: Sequence[int] = (),
) -> Summary:
    """Run a worker to its end, and tell what it did; an error of ours that ended it is raised."""
    with closing(HeartbeatProcess(config, how.grace, inherited)) as heartbeats:
        summary = Worker(session, experiments, duty, plan, options, heartbeats, how.tell, discover).run()
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in sorted(summary.outcomes.items()))
    how.tell(f"jobs run: {told or 'none'}")
    if summary.failure is not None:
        raise summary.failure
    return summary
