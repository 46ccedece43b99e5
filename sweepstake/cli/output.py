"""What commands print: text for people, or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from sweepstake.codec import to_tree
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.plaintext import printable_lines
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, experiment_table, job_table
from sweepstake.view.text import paragraphs

__all__ = ["as_json", "format_option", "print_experiment", "print_job", "say"]

C = TypeVar("C", bound=Callable[..., Any])


def format_option(command: C) -> C:
    """Add `--format table|json` to a command."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="Text for people, or JSON for programs.",
    )(command)


def say(text: str, *, err: bool = False) -> None:
    """Print text for people, with all that could drive the terminal written out; its line breaks stay.

    Args:
        text: may hold what comes from other users, machines and servers.
        err: print it on standard error.
    """
    click.echo(printable_lines(text), err=err)


def as_json(value: object) -> None:
    """Print records, or lists and dicts of them, as JSON; non-finite numbers are {"$number": "NaN"} and so on."""
    click.echo(json.dumps(to_tree(value), indent=2))


def print_experiment(record: ExperimentRecord) -> None:
    """Print an experiment as a paragraph."""
    click.echo(paragraphs(experiment_table([record])))


def print_job(record: JobRecord) -> None:
    """Print a job as a paragraph: id, status, hyperparameters, results."""
    click.echo(paragraphs(job_table([record]).of_categories(OWN, HYPERPARAMETER, RESULT)))
