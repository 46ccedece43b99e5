"""`sweepstake results` and `sweepstake logs`: files and output of an attempt, wherever it ran."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from sweepstake.cli.naming import EXPERIMENT, JOB, find_job
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client.kept.fetching import fetch
from sweepstake.client.kept.following import follow, read
from sweepstake.domain.files import Manifest
from sweepstake.plaintext import counted, printable, printable_lines

__all__ = ["logs", "results"]

_attempt_option = click.option(
    "--attempt", type=click.IntRange(1), help="The number of the attempt, instead of the DONE one, else the latest."
)


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB)
@click.option(
    "--download", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write the files into DIR."
)
@_attempt_option
@format_option
@pass_target
def results(
    target: Target, experiment: str, job: str, download: Path | None, attempt: int | None, format_: str
) -> None:
    """List the files that an attempt of JOB left, or fetch them.

    Nothing is written outside DIR. A file that is there with the same content stays as it is, so that a download that
    broke goes on.
    """
    found = find_job(target.experiment(experiment), job)
    if download is None:
        manifest = found.files(attempt)
    else:
        manifest = fetch(found.experiment.session.queue, found.record, download, attempt)
    if format_ == "json":
        as_json(manifest)
    elif download is None:
        _list(manifest)
    else:
        click.echo(f"{_summary(manifest)} in {printable(str(download))}")


def _list(manifest: Manifest) -> None:
    width = max((len(f"{each.size:,}") for each in manifest.files), default=0)
    for each in manifest.files:
        click.echo(f"{each.size:>{width},}  {each.sha256[:12]}  {printable(each.path)}")
    click.echo(_summary(manifest))


def _summary(manifest: Manifest) -> str:
    size = sum(each.size for each in manifest.files)
    others = [str(each) for each in manifest.attempts if each != manifest.attempt]
    more = f" (also kept: of attempt {', '.join(others)})" if others else ""
    return f"{counted(len(manifest.files), 'file')} of attempt {manifest.attempt}, {counted(size, 'byte')}{more}"


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the attempt is over.")
@_attempt_option
@pass_target
def logs(target: Target, experiment: str, job: str, follows: bool, attempt: int | None) -> None:
    """Print all that an attempt of JOB has printed.

    On a terminal, characters that could drive it are written out; into a file or a pipe go the bytes as they are.
    """
    found = find_job(target.experiment(experiment), job)
    queue, record = found.experiment.session.queue, found.record
    pieces = follow(queue, record, attempt, time.sleep) if follows else read(queue, record, attempt)
    show = _for_terminal() if sys.stdout.isatty() else sys.stdout.buffer.write
    sys.stdout.flush()
    for piece in pieces:
        show(piece)
        sys.stdout.flush()


def _for_terminal() -> Callable[[bytes], object]:
    """Return what prints bytes as text that cannot drive the terminal, across the ends of pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(piece: bytes) -> None:
        text = decoder.decode(piece).replace("\r\n", "\n").replace("\r", "\n").expandtabs()
        click.echo(printable_lines(text), nl=False)

    return show
