"""`sweepstake submit` and `stop`: what a spec says is queued, and ended before its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sweepstake.cli.looking.waiting import waited
from sweepstake.cli.naming import EXPERIMENT, JOB, find_jobs
from sweepstake.cli.output import as_json, format_option, print_rows, say, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.errors import InvalidInputError, ResourceExistsError, SpecError
from sweepstake.plaintext import counted

if TYPE_CHECKING:  # specs take time to load, and most commands need none
    from sweepstake.client.specs.submitting import Submission
    from sweepstake.domain.drafts import JobDraft
    from sweepstake.spec import ExperimentSpec

__all__ = ["stop", "submit"]

#: How many of the jobs that one waits for are named.
_FEW: Final = 2
#: Of a longer line only some words are shown.
_LONG: Final = 60


@click.command()
@click.argument("spec", metavar="SPEC", type=click.Path(path_type=Path))
@click.option("--name", help="What the experiment is called; by default as the file, with -2, -3 where that is taken.")
@click.option("--update", is_flag=True, help="Add the jobs to the experiment --name, as its next version.")
@click.option("--dry-run", is_flag=True, help="Show the jobs, and send nothing.")
@click.option("--watch", is_flag=True, help="Wait for the end, and print a line for each change.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="With --watch: give up after so many seconds."
)
@wide_option
@format_option
@pass_target
def submit(
    target: Target,
    spec: Path,
    name: str | None,
    update: bool,
    dry_run: bool,
    watch: bool,
    timeout: float | None,
    wide: bool,
    format_: str,
) -> int:
    """Queue the jobs of a spec.

    SPEC is a YAML file: an experiment as AI2 Beaker has them, with or without a sweep, or a sweep of W&B's. Everything
    that is wrong with it is told, with line and column, before anything is sent. Workers without a command run the
    jobs. The last line printed is the name of the experiment.

    A submission that was interrupted goes on where it ended when the same file is submitted again. In a dry run,
    <PATH> is the folder that a worker without containers puts in the place of PATH.

    \b
    Exit code:
      0    it is queued; with --watch all jobs are DONE
      1    the spec is wrong, or an error; with --watch some job is not DONE
      2    wrong usage
      124  with --watch the end was not before the --timeout

    \b
    Example:
      sweepstake submit train.yaml --dry-run
      sweepstake submit train.yaml
      sweepstake worker --no-container
    """
    if update and name is None:
        raise click.UsageError("--update needs the --name of the experiment.")
    if timeout is not None and not watch:
        raise click.UsageError("--timeout is for --watch.")
    submission = _read(spec)
    drafts = submission.drafts()
    for line in _refused(submission.spec, drafts):
        say(f"Warning: {line}", err=True)
    if dry_run:
        _show(submission, drafts, format_, wide=wide)
        return 0
    try:
        experiment = target.database().submit(submission, name, update)
    except ResourceExistsError as error:
        raise ResourceExistsError(str(error).replace("update=True", "--update")) from None
    tasks = counted(len(submission.spec.tasks), "task")
    if format_ == "table":
        say(f"{experiment.name} has {tasks}; {experiment.counts()}")
    code = 0
    if watch:
        code = waited(experiment, experiment.name, timeout, watch=True)
    if format_ == "json":
        as_json(experiment.record)
    else:
        say(experiment.name)
    return code


def _read(path: Path) -> Submission:
    """Return a spec that was checked; what is wrong with it is told, and ends the command."""
    from sweepstake.client.specs.submitting import Submission

    try:
        return Submission.of(path)
    except SpecError as error:
        say(str(error), err=True)
        raise click.exceptions.Exit(1) from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from None


def _refused(spec: ExperimentSpec, drafts: Sequence[JobDraft]) -> Iterator[str]:
    """Yield for which tasks a worker will refuse to run jobs, because of what their values would be read as."""
    from sweepstake.spec.naming import named_tasks
    from sweepstake.worker.tasks.items import filled_items

    items = {name: task.words() for name, task in named_tasks(spec).items()}
    refused: dict[str, list[InvalidInputError]] = {}
    for draft in drafts:
        if draft.task is not None and draft.hyperparameters.text != "{}":
            try:
                filled_items(items[draft.task], draft.hyperparameters.decode())
            except InvalidInputError as error:
                refused.setdefault(draft.task, []).append(error)
    for task, errors in refused.items():
        yield f"{task}: {counted(len(errors), 'job')} will crash: {errors[0]}"


def _show(submission: Submission, drafts: Sequence[JobDraft], format_: str, *, wide: bool) -> None:
    if format_ == "json":
        as_json({"spec": submission.document.wire(), "jobs": tuple(drafts)})
        return
    rows = []
    for draft in drafts:
        row: dict[str, Any] = {"job": draft.id, "task": draft.task, "priority": draft.priority}
        if draft.hyperparameters.text != "{}":
            row["hyperparameters"] = draft.hyperparameters.text
        if draft.seed is not None:
            row["seed"] = draft.seed
        if draft.depends_on:
            row["waits for"] = _named(draft.depends_on)
        rows.append(row)
    print_rows(rows, wide=wide)
    for line in (*_proposed(submission.spec), *_moved(submission.spec)):
        say(line)
    tasks = counted(len(submission.spec.tasks), "task")
    say(f"{counted(len(drafts), 'job')} of {tasks}; nothing was sent.")


def _proposed(spec: ExperimentSpec) -> Iterator[str]:
    """Yield how a task gets its jobs that are not made yet."""
    from sweepstake.spec.expansion import proposed_task

    task = proposed_task(spec)
    if task is not None:
        yield f"{task}: its search makes one job after another, as workers ask for them"


def _moved(spec: ExperimentSpec) -> Iterator[str]:
    """Yield where a worker without containers puts folders of its own into what tasks run, on a machine as this."""
    from sweepstake.spec.naming import named_tasks
    from sweepstake.worker.tasks.paths import missing_above, normal, replacing

    for name, task in named_tasks(spec).items():
        paths = [each.mount_path for each in task.datasets or ()]
        paths += [task.result.path] if task.result is not None else []
        paths = [normal(path) for path in paths if normal(path) != "/"]
        replace = replacing({path: f"<{path}>" for path in (*paths, *missing_above(paths))})
        texts = task.words()
        texts += [f"{each.name}={each.value}" for each in task.env_vars or () if each.value is not None]
        for line in (line for text in texts for line in text.splitlines()):
            if replace(line) != line:
                said, moved = _around(line.split(), replace(line).split())
                yield f"{name}: without a container, {said} is {moved}"


def _around(words: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    """Return a line and the same with other words; of a long one what stands around those that differ."""
    if len(words) != len(others) or len(" ".join(words)) <= _LONG:
        return " ".join(words), " ".join(others)
    changed = {i for i, (word, other) in enumerate(zip(words, others, strict=True)) if word != other}
    near = [bool(changed & {i - 1, i, i + 1}) for i in range(len(words))]
    return _clipped(words, near), _clipped(others, near)


def _clipped(words: Sequence[str], shown: Sequence[bool]) -> str:
    """Return a line of some of its words, with dots for the others."""
    parts = groupby(zip(shown, words, strict=True), key=lambda pair: pair[0])
    return " ".join(" ".join(word for _, word in part) if kept else "..." for kept, part in parts)


def _named(ids: Sequence[str]) -> str:
    more = len(ids) - _FEW
    return ", ".join(ids[:_FEW]) + (f" and {more:,} more" if more > 0 else "")


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, type=JOB)
@pass_target
def stop(target: Target, experiment: str, jobs: Sequence[str]) -> None:
    """Stop all jobs of an experiment, or these.

    Those that run are ended, and with those that are queued become PRUNED. `sweepstake retry` queues them again.
    """
    found = target.experiment(experiment)
    stopped = found.stop(find_jobs(found, jobs) if jobs else None)
    say(f"{counted(stopped, 'job')} of {experiment} {'is' if stopped == 1 else 'are'} stopped.")
