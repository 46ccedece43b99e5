"""`sweepstake run` and `sweepstake worker`: a command for each job."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, Final, TypeVar

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.renamed import Renamed
from sweepstake.cli.target import Target, pass_target
from sweepstake.client.attempt.preempting import HOOK_SECONDS
from sweepstake.domain.status import Outcome
from sweepstake.plaintext import printable
from sweepstake.worker.attempt import Plan
from sweepstake.worker.duty import CommandDuty
from sweepstake.worker.expansion import check_command
from sweepstake.worker.heartbeat_process import HeartbeatProcess
from sweepstake.worker.machine import check_folders, check_program
from sweepstake.worker.running import Options, Summary, Worker
from sweepstake.worker.stopping import Stop
from sweepstake.worker.terminal import Terminal

__all__ = ["run", "worker"]

#: Exit code of a worker whose machine crashes job after job (EX_UNAVAILABLE of sysexits.h).
_UNFIT: Final = 69


class _Seconds(click.FloatRange):
    """A number of seconds that a timer can take: up to 30 years."""

    def __init__(self, *, above_zero: bool = False) -> None:
        super().__init__(0, 10**9, min_open=above_zero)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; NaN is none."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


C = TypeVar("C", bound=Callable[..., Any])


def _command_options(command: C) -> C:
    """Add what says how a command is run for a job."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Do not tell of each job."),
        click.option(
            "--grace",
            type=_Seconds(),
            default=HOOK_SECONDS,
            show_default=True,
            help="Seconds a command has to end after SIGTERM before its whole process group is killed.",
        ),
        click.option(
            "--timeout",
            type=_Seconds(above_zero=True),
            help="Seconds an attempt may run before it is ended and CRASHED; the experiment's own if that is shorter.",
        ),
        click.option("--allow-empty-results", is_flag=True, help="Let a command succeed without results."),
    ):
        command = option(command)
    return command


_concurrency = click.option(
    "--concurrency",
    "--workers",
    cls=Renamed,
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Jobs to run side by side.",
)
_max_jobs = click.option("--max-jobs", type=click.IntRange(1), help="End after so many jobs.")


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option("--once", is_flag=True, hidden=True, help="Run one job only.")
@click.option("--ignore-errors", is_flag=True, help="Go on with the next job after one that crashed.")
@_concurrency
@click.option(
    "--idle",
    "--wait",
    cls=Renamed,
    type=_Seconds(),
    default=0.0,
    show_default=True,
    help="End after so many seconds without a job.",
)
@_max_jobs
@_command_options
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
    summary = _work(target, [experiment], command, concurrency, options, **how)
    if summary.stopped_by is not None:
        context.exit(128 + summary.stopped_by)
    context.exit(1 if summary.outcomes[Outcome.CRASHED] else 0)


class _CommandBehindDashes(click.Command):
    """A command of ours that takes any number of arguments, and a command of the user's behind ``--``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set what stands behind ``--`` aside as `command`, and parse the rest."""
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:end])
        ctx.params["command"] = tuple(args[end + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the usage line names."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


@click.command(cls=_CommandBehindDashes)
@click.argument("experiments", type=EXPERIMENT, nargs=-1, required=True, metavar="EXPERIMENT...")
@_concurrency
@click.option(
    "--idle",
    type=_Seconds(),
    help="End after so many seconds without a job; by default it waits until it is told to stop.",
)
@_max_jobs
@click.option(
    "--drain",
    type=_Seconds(),
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
    type=_Seconds(above_zero=True),
    default=10.0,
    show_default=True,
    help="Seconds within which a crash is quick.",
)
@_command_options
@pass_target
@click.pass_context
def worker(
    context: click.Context,
    target: Target,
    /,
    experiments: Sequence[str],
    command: Sequence[str],
    concurrency: int,
    idle: float | None,
    max_jobs: int | None,
    drain: float | None,
    crashes: int,
    quickly: float,
    **how: Any,
) -> None:
    """Run COMMAND for jobs of experiments, and wait for more.

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

    \b
    Example:
      sweepstake worker mnist cifar --concurrency 4 -- python train.py %h
    """
    options = Options(
        idle=idle,
        max_jobs=max_jobs,
        drain=math.inf if drain is None else drain,
        crashes=crashes,
        quickly=quickly,
    )
    summary = _work(target, experiments, command, concurrency, options, **how)
    if summary.tripped:
        remedy = "mend it, or set --crashes (0 goes on whatever happens)"
        click.echo(f"Error: this machine seems unfit: {printable(summary.tripped)}; {remedy}", err=True)
        context.exit(_UNFIT)
    if summary.stopped_by is not None and summary.step > Stop.DRAIN:
        context.exit(128 + summary.stopped_by)


def _work(
    target: Target,
    experiments: Sequence[str],
    command: Sequence[str],
    concurrency: int,
    options: Options,
    *,
    allow_empty_results: bool,
    timeout: float | None,
    grace: float,
    quiet: bool,
) -> Summary:
    """Run a worker to its end, and tell what it did; an error of ours that ended it is raised."""
    called = [target.called(name) for name in experiments]
    check_command(command, called)
    config = target.config()
    check_program(command, called)
    check_folders(config)
    found = [target.experiment(name) for name in experiments]
    duty = CommandDuty(tuple(command), config.environment(), concurrency)
    plan = Plan(
        allow_empty=allow_empty_results,
        grace=grace,
        timeout=timeout,
        terminal=Terminal({1: sys.stdout.buffer, 2: sys.stderr.buffer}, several=concurrency > 1),
    )
    with closing(HeartbeatProcess(config, grace)) as heartbeats:
        summary = Worker(found, duty, plan, options, heartbeats, _silent if quiet else _tell).run()
    if not quiet:
        told = ", ".join(f"{count} {outcome.value}" for outcome, count in sorted(summary.outcomes.items()))
        _tell(f"jobs run: {told or 'none'}")
    if summary.failure is not None:
        raise summary.failure
    return summary


def _tell(line: str) -> None:
    with suppress(OSError, ValueError):  # when nobody reads any more, as after SIGHUP, the jobs go on in silence
        click.echo(f"[sweepstake] {printable(line)}", err=True)


def _silent(line: str) -> None:
    del line
