"""`sweepstake spec`: checking specs, and what editors need to help with them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from sweepstake.cli.output import say
from sweepstake.errors import SpecError
from sweepstake.plaintext import counted

__all__ = ["spec"]


@click.group()
def spec() -> None:
    """Check specs of experiments, and print their JSON Schema."""


@spec.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> int:
    """Read specs, and tell everything that is wrong with them.

    Each fault is a line with file, line and column. The exit code is 0 if there is none, else 1. Sweeps of W&B are read
    as `sweepstake submit` reads them.
    """
    from sweepstake.spec import ExperimentSpec

    wrong = 0
    for file in files:
        try:
            read = ExperimentSpec.from_file(file)
        except SpecError as error:
            wrong += 1
            say(str(error))
        except OSError as error:
            wrong += 1
            say(f"{file}: cannot be read: {error.strerror}")
        else:
            say(f"{file}: {counted(len(read.tasks), 'task')}, no fault")
    return 1 if wrong else 0


@spec.command()
def schema() -> None:
    """Print the JSON Schema of specs.

    An editor that knows it completes names and shows faults while a spec is written.
    """
    click.echo(resources.files("sweepstake.spec").joinpath("schema.json").read_text(encoding="utf-8"), nl=False)
