"""`sweepstake push`, `rm`, `pause` and `resume`: jobs and experiments come, rest, and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from sweepstake.cli.naming import EXPERIMENT, JOB, find_job, find_jobs
from sweepstake.cli.output import as_json, format_option, print_experiment, print_job, say
from sweepstake.cli.queueing.labels import as_queueing, queueing_options
from sweepstake.cli.queueing.pairs import PairsCommand, as_values
from sweepstake.cli.target import Target, pass_target
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.status import JobStatus
from sweepstake.plaintext import printable

__all__ = ["pause", "push", "resume", "rm"]

Pairs = Sequence[tuple[str, str]]


@click.command(cls=PairsCommand)
@click.argument("experiment", type=EXPERIMENT)
@click.option(
    "-p",
    "--hyperparameters",
    nargs=2,
    multiple=True,
    required=True,
    metavar="NAME VALUE ...",
    help="Hyperparameters as pairs. For example: -p lr 1e-4 kernel rbf sizes '[512, 1024]'",
)
@click.option(
    "-r",
    "--results",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE ...",
    help="Results as pairs. For example: -r accuracy 0.9 losses '[0.9, 0.8]'",
)
@click.option(
    "-s",
    "--status",
    type=click.Choice([status.value for status in JobStatus]),
    default=JobStatus.QUEUED.value,
    show_default=True,
    help="Status of the job.",
)
@queueing_options
@click.option("--id", "job_id", help="An id of your own.")
@click.option(
    "--depends-on",
    multiple=True,
    type=JOB,
    metavar="JOB",
    help="The id of a job that must be DONE before; may be given several times.",
)
@click.option(
    "--prune-with-dependencies", is_flag=True, help="Prune the job when one that it depends on crashes or is pruned."
)
@click.option("--task", help="The task of the experiment's spec that is run for it.")
@click.option(
    "--on-duplicate",
    type=click.Choice([each.value for each in OnDuplicate]),
    default=OnDuplicate.ALLOW.value,
    show_default=True,
    help="If a job has these hyperparameters already: add another, show that job, or fail.",
)
@format_option
@pass_target
def push(
    target: Target,
    /,
    experiment: str,
    hyperparameters: Pairs,
    results: Pairs,
    status: str,
    job_id: str | None,
    depends_on: Sequence[str],
    prune_with_dependencies: bool,
    task: str | None,
    on_duplicate: str,
    format_: str,
    **queueing: Any,
) -> None:
    """Add a job to an experiment.

    Values are read as in YAML: 3, .5, 1e-4, true, null, and every other word is text; '"3"' is the text 3. Lists and
    maps are JSON.
    """
    inputs = as_values(hyperparameters, "hyperparameter")
    outputs = as_values(results, "result")
    found = target.experiment(experiment)
    job = found.add_job(
        inputs,
        status,
        outputs,
        job_id=job_id,
        depends_on=find_jobs(found, depends_on),
        prune_with_dependencies=prune_with_dependencies,
        on_duplicate=on_duplicate,
        task=task,
        **as_queueing(queueing),
    )
    if format_ == "json":
        as_json(job.record)
    else:
        print_job(job.record)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB, required=False)
@click.option("-f", "--force", is_flag=True, help="Do not ask, and remove also what workers still hold.")
@pass_target
def rm(target: Target, experiment: str, job: str | None, force: bool) -> None:
    """Remove an experiment with all its jobs, or one JOB."""
    found = target.experiment(experiment)
    if job is None:
        assert found.record is not None
        if not force:
            print_experiment(found.record)
            _confirm(experiment, f"{experiment} and all its jobs")
        found.delete(force=force)
    else:
        doomed = find_job(found, job)
        if not force:
            print_job(doomed.record)
            _confirm(doomed.job_id, doomed.job_id)
        doomed.delete()
        say(f"Removed {doomed.job_id}.")


def _confirm(name: str, what: str) -> None:
    if not click.confirm(f"Are you sure you want to remove {what}?"):
        click.echo(f"{name} was not removed.")
        raise click.exceptions.Exit(0)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@format_option
@pass_target
def pause(target: Target, experiment: str, format_: str) -> None:
    """Let nothing more be claimed from an experiment.

    Jobs that run go on, and report.
    """
    found = target.experiment(experiment)
    found.pause()
    if format_ == "json":
        as_json(found.record)
        return
    running = found.counts().running
    runs_on = f"; {running} {'job runs' if running == 1 else 'jobs run'} on" if running else ""
    click.echo(printable(f"{experiment} is paused{runs_on}."))


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@format_option
@pass_target
def resume(target: Target, experiment: str, format_: str) -> None:
    """Let jobs be claimed again from an experiment.

    It was paused, or its search was complete.
    """
    found = target.experiment(experiment)
    found.resume()
    if format_ == "json":
        as_json(found.record)
        return
    counts = found.counts()
    click.echo(
        printable(f"{experiment} goes on; {counts.ready} {'job is' if counts.ready == 1 else 'jobs are'} ready.")
    )
