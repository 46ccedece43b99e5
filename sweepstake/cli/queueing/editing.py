"""`sweepstake edit`: what can be changed of jobs, and of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from sweepstake.cli.naming import EXPERIMENT, JOB, find_jobs
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.queueing.labels import as_queueing, queueing_options
from sweepstake.cli.queueing.many import named
from sweepstake.cli.queueing.settings import SETTINGS, settings_options
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.domain.vocabulary import LABELS, QUEUEING
from sweepstake.plaintext import printable
from sweepstake.view.cells import cell

__all__ = ["edit"]

#: What is changed of jobs only.
_OF_JOBS: Final = tuple(word for word in QUEUEING if word not in LABELS)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", type=JOB, nargs=-1, metavar="[JOB]...")
@lambda command: queueing_options(command, change=True)
@lambda command: settings_options(command, change=True)
@format_option
@pass_target
def edit(target: Target, /, experiment: str, jobs: Sequence[str], format_: str, no_tags: bool, **options: Any) -> None:
    """Change jobs, or without a JOB an experiment's settings.

    Only what is named changes. Of jobs these are priority, delay, tags and notes, whatever their status; one that runs
    goes on: its worker's results are not in danger. Of an experiment these are its settings, tags and notes among
    them; jobs that run are left alone.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if "tags" in given and no_tags:
        raise click.UsageError("--tag and --no-tags exclude each other.")
    if no_tags:
        given["tags"] = ()
    _check(given, of_jobs=bool(jobs))
    found = target.experiment(experiment)
    if jobs:
        _edit_jobs(found, jobs, given, format_)
    else:
        _edit_experiment(found, given, format_)


def _check(given: Mapping[str, Any], *, of_jobs: bool) -> None:
    """Refuse what cannot be changed of the one or the other."""
    others = SETTINGS if of_jobs else tuple(word.name for word in _OF_JOBS)
    wrong = [name for name in others if name in given]
    if wrong and of_jobs:
        raise click.UsageError(f"{_flag(wrong[0])} is a setting of the experiment: name no job to change it.")
    if wrong:
        raise click.UsageError(f"{_flag(wrong[0])} is of jobs: name those that change.")
    if not given:
        one = ", ".join(word.flag for word in _OF_JOBS) if of_jobs else "a setting such as --max-jobs"
        raise click.UsageError(f"Say what to change: {one}, --tag, --no-tags or --notes.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _edit_jobs(experiment: Experiment, jobs: Sequence[str], given: Mapping[str, Any], format_: str) -> None:
    queueing = as_queueing(given)
    chosen = find_jobs(experiment, jobs)
    for job in chosen:
        job.set_queueing(**queueing)
    if format_ == "json":
        as_json([job.record for job in chosen])
    else:
        what = f"{len(chosen)} {'job' if len(chosen) == 1 else 'jobs'} of {experiment.name} changed"
        click.echo(printable(f"{what}{named([job.job_id for job in chosen])}."))


def _edit_experiment(experiment: Experiment, given: Mapping[str, Any], format_: str) -> None:
    before = experiment.settings
    changes = {name: None if value == "" and name in SETTINGS else value for name, value in given.items()}
    if changes.get("no_retry_on") == ("none",):
        changes["no_retry_on"] = ()
    experiment.update(**changes)
    if format_ == "json":
        as_json(experiment.record)
        return
    for name in changes:
        old, new = (_shown(getattr(settings, name)) for settings in (before, experiment.settings))
        click.echo(
            printable(
                f"{experiment.name}: {name} is {new}, as before."
                if old == new
                else f"{experiment.name}: {name} is {new}, was {old}."
            )
        )


def _shown(value: object) -> str:
    if value is None or value in ((), ""):
        return "none"
    return cell(list(value) if isinstance(value, tuple) else value)
