"""`sweepstake run`: a command for each job."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from sweepstake.cli.target import Target, pass_target
from sweepstake.config import Config
from sweepstake.domain.status import Outcome
from sweepstake.errors import ConfigurationError
from sweepstake.worker.attempt import Plan
from sweepstake.worker.expansion import check_command
from sweepstake.worker.pulse import Pulse
from sweepstake.worker.running import Options, Summary, Worker
from sweepstake.worker.terminal import Terminal

__all__ = ["run"]


@click.command()
@click.argument("experiment")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--once", is_flag=True, help="Run one job only.")
@click.option("--ignore-errors", is_flag=True, help="Go on with the next job after one that crashed.")
@click.option("--allow-empty-results", is_flag=True, help="Let a command succeed without results.")
@click.option("--workers", type=click.IntRange(1, 1000), default=1, show_default=True, help="Jobs to run side by side.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, help="Seconds to wait for a job when there is none.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds a command has to end after SIGTERM before it is killed.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not tell of each job.")
@pass_target
@click.pass_context
def run(
    context: click.Context,
    target: Target,
    experiment: str,
    command: Sequence[str],
    once: bool,
    ignore_errors: bool,
    allow_empty_results: bool,
    workers: int,
    wait: float,
    grace: float,
    quiet: bool,
) -> None:
    """Run COMMAND for job after job of an experiment, until there is none.

    \b
    In the command:  %h  --NAME VALUE for each hyperparameter (text as it is, everything else as JSON)
                     %e  the experiment's name      %j  the job's id      %%  a percent sign
    Results:         a block on standard output between the lines --- RESULTS --- and --- END RESULTS ---, of one
                     JSON object or of lines NAME: VALUE; or a JSON object in the file SWEEPSTAKE_RESULTS_PATH
    Exit code:       0 done, 75 give the job back to the queue, anything else crashed
    Environment:     SWEEPSTAKE_EXPERIMENT, _JOB_ID, _ATTEMPT, _HYPERPARAMETERS (JSON), _RESULTS_PATH,
                     _CHECKPOINT_DIR (the same in every attempt), _DEADLINE (Unix time, if there is a timeout)

    Ctrl-C or SIGTERM ends the commands and gives their jobs back to the queue. The output is passed through, and kept
    for `sweepstake show EXPERIMENT JOB`.

    \b
    Example:
      sweepstake run mnist -- python train.py %h
    """
    check_command(command)
    config = target.config()
    _make_folders(config)
    found = target.database().get_experiment(experiment)
    plan = Plan(
        command=tuple(command),
        state=config.state,
        allow_empty=allow_empty_results,
        grace=grace,
        terminal=Terminal({1: sys.stdout.buffer, 2: sys.stderr.buffer}, whole_lines=workers > 1),
        environment=config.environment(),
    )
    options = Options(once=once, ignore_errors=ignore_errors, workers=workers, wait=wait)
    with Pulse(config, grace) as pulse:
        summary = Worker(found, plan, options, pulse, _silent if quiet else _tell).run()
    context.exit(_conclude(summary, quiet=quiet))


def _make_folders(config: Config) -> None:
    """Make the folders that every attempt writes to, before a job is claimed that would be lost without them."""
    for variable, folder in (("SWEEPSTAKE_STATE", config.state), ("SWEEPSTAKE_CHECKPOINTS", config.checkpoints)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{folder} cannot be made ({error.strerror}); set {variable} to another") from None


def _conclude(summary: Summary, *, quiet: bool) -> int:
    if not quiet:
        told = ", ".join(f"{count} {outcome.value}" for outcome, count in sorted(summary.outcomes.items()))
        _tell(f"jobs run: {told or 'none'}")
    if summary.failure is not None:
        raise summary.failure
    if summary.stopped_by is not None:
        return 128 + summary.stopped_by
    return 1 if summary.outcomes[Outcome.CRASHED] else 0


def _tell(line: str) -> None:
    click.echo(f"[sweepstake] {line}", err=True)


def _silent(line: str) -> None:
    del line
