"""`sweepstake show` and `sweepstake why`: one experiment or job, with its attempts and their output."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO, Final

import attrs
import click

from sweepstake.cli.naming import EXPERIMENT, JOB, find_job
from sweepstake.cli.output import as_json, format_option, print_experiment, say
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.client.specs.standstill import standing_of
from sweepstake.domain.records import AttemptRecord, JobRecord
from sweepstake.domain.settings import Settings
from sweepstake.domain.vocabulary import TIMES
from sweepstake.plaintext import counted, printable
from sweepstake.view.cells import cell
from sweepstake.view.table import QUEUEING, job_table
from sweepstake.view.text import paragraphs
from sweepstake.view.times import lasting, local

__all__ = ["show", "why"]

#: Lines of captured output that are shown unless all are asked for.
_LINES: Final = 50
#: Bytes at the end of an output in which these lines are looked for.
_END: Final = 1024 * 1024
_PRUNES: Final = ", and is pruned with it"


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB, required=False)
@click.option("--attempt", type=int, help="Show the output of this attempt, instead of the latest.")
@click.option("--full", is_flag=True, help=f"Show all of the output, not only its last {_LINES} lines.")
@click.option("--spec", is_flag=True, help="Show what the experiment runs, as it was submitted.")
@click.option(
    "--code", is_flag=True, help="Show what the code was where that was submitted: commit, changes, packages."
)
@click.option(
    "--version", type=click.IntRange(1), help="With --spec or --code: which version of the spec, instead of the last."
)
@format_option
@pass_target
def show(
    target: Target,
    experiment: str,
    job: str | None,
    attempt: int | None,
    full: bool,
    spec: bool,
    code: bool,
    version: int | None,
    format_: str,
) -> None:
    """Show an experiment, or one JOB with its attempts.

    The output of a command that `sweepstake run` ran on this machine is shown as well; of one that ran elsewhere, the
    end that its worker reported.
    """
    found = target.experiment(experiment)
    if spec:
        stored = found.spec(version)
        as_json(stored) if format_ == "json" else say(stored.text.removesuffix("\n"))
        return
    if code:
        _show_code(found, version, format_)
        return
    if job is None:
        _show_experiment(found, format_)
        return
    shown = find_job(found, job)
    attempts, dependencies = shown.attempts(), shown.dependencies()
    places = found.session.places
    if format_ == "json":
        outputs = {a.number: str(p) for a in attempts if (p := places.output(shown.record, a.number)).exists()}
        as_json({"job": shown.record, "dependencies": dependencies, "attempts": tuple(attempts), "outputs": outputs})
        return
    click.echo(_paragraph(shown.record))
    for other in dependencies:
        click.echo(f"depends on: {printable(other.id)} ({other.status}){_PRUNES if other.prune_with else ''}")
    for one in attempts:
        click.echo("\n" + _describe(one))
    wanted = attempt if attempt is not None else max((one.number for one in attempts), default=0)
    path = places.output(shown.record, wanted)
    reported = next((one.output for one in attempts if one.number == wanted), "")
    if reported and not path.exists():
        click.echo(f"\nend of the output of attempt {wanted}, as its worker reported it:\n{_lines(reported)}")
    else:
        _show_output(path, wanted, asked=attempt is not None, full=full)


def _show_code(experiment: Experiment, version: int | None, format_: str) -> None:
    snapshot = experiment.snapshot(version)
    if format_ == "json":
        as_json({"snapshot": snapshot})
        return
    if snapshot is None:
        say("Nothing is known of the code: nobody looked at it when the spec was submitted.")
        return
    say(f"commit: {snapshot['commit'] or 'none'}")
    say(f"branch: {snapshot['branch'] or 'none'}")
    say(f"python: {snapshot['python']}")
    say(
        textwrap.fill(f"packages: {' '.join(snapshot['packages'])}", 80, subsequent_indent="  ", break_on_hyphens=False)
    )
    say(f"changes: {_changes(snapshot)}")
    if snapshot["diff"]:
        say("\n" + snapshot["diff"].removesuffix("\n"))


def _changes(snapshot: Mapping[str, Any]) -> str:
    if snapshot["diff"]:
        return "as follows" if snapshot["whole"] else "the first of them as follows"
    if not snapshot["whole"]:
        return "unknown, git took too long"
    return "in files that git does not know" if snapshot["dirty"] else "none"


def _show_experiment(experiment: Experiment, format_: str) -> None:
    counts = experiment.counts()
    if format_ == "json":
        as_json({"experiment": experiment.record, "counts": counts})
        return
    assert experiment.record is not None
    print_experiment(experiment.record)
    if experiment.owner is not None:
        click.echo(f"owner: {printable(experiment.owner)}")
    for field in attrs.fields(Settings):
        value = getattr(experiment.settings, field.name)
        if value != getattr(_DEFAULTS, field.name):
            click.echo(f"{field.name}: {cell(list(value) if isinstance(value, tuple) else value)}")
    click.echo(f"jobs: {str(counts).partition(': ')[2] or 'none'}")


_DEFAULTS: Final = Settings()


def _paragraph(record: JobRecord) -> str:
    table = job_table([record])
    return paragraphs(
        table.mapped(lambda column, value: _readable(column.name, value) if column.category == QUEUEING else value)
    )


def _readable(name: str, value: Any) -> Any:
    if name in TIMES:
        return local(value)
    return lasting(value) if name == "duration" else value


def _describe(attempt: AttemptRecord) -> str:
    if attempt.outcome is None or attempt.ended_at is None:
        ended = "still running"
    else:
        span = lasting(max(attempt.ended_at - attempt.started_at, 0.0))
        ended = f"{attempt.outcome.value} after {span} at {local(attempt.ended_at)}"
    lines = [f"attempt {attempt.number}: by {printable(attempt.worker)}, from {local(attempt.started_at)}, {ended}"]
    lines += [f"  {printable(line)}" for line in attempt.reason.splitlines()]
    if attempt.late_results is not None:
        lines.append(f"  late results: {attempt.late_results.text}")
    return "\n".join(lines)


def _lines(output: str) -> str:
    return "\n".join(printable(line) for line in output.splitlines())


def _show_output(path: Path, attempt: int, *, asked: bool, full: bool) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        if asked:
            raise click.ClickException(f"no output of attempt {attempt} is kept on this machine ({path})") from None
        return
    with file:
        left_out = "" if full else _skip_beginning(file)
        click.echo(f"\noutput of attempt {attempt}, {path}{left_out}:")
        sys.stdout.flush()
        copyfileobj(file, sys.stdout.buffer)


def _skip_beginning(file: BinaryIO) -> str:
    """Go to the last lines of an output, and return in words what that leaves out; no more than an end is read."""
    size = file.seek(0, os.SEEK_END)
    start = max(size - _END, 0)
    file.seek(start)
    lines = file.read(size - start).splitlines(keepends=True)
    hidden = max(len(lines) - _LINES, 0)
    file.seek(start + sum(map(len, lines[:hidden])))
    if not start and not hidden:
        return ""
    first = "beginning" if start else f"first {counted(hidden, 'line')}"
    return f", without its {first} (--full shows all)"


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB, required=False)
@format_option
@pass_target
def why(target: Target, experiment: str, job: str | None, format_: str) -> None:
    """Say why a job or an experiment stands still.

    Of JOB it is one sentence, which also tells what would change that; of an experiment, one for each of its tasks.
    """
    found = target.experiment(experiment)
    if job is not None:
        answer = find_job(found, job).why()
        as_json(answer) if format_ == "json" else click.echo(printable(answer.sentence))
        return
    sentences = list(standing_of(found, target.called(experiment)))
    if format_ == "json":
        as_json({"experiment": found.name, "sentences": sentences})
    else:
        say("\n".join(sentences))
