"""What commands print: text for people, fitted to their terminal, or JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from sweepstake.codec import to_tree
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.vocabulary import TIMES
from sweepstake.plaintext import printable_lines
from sweepstake.view.ids import with_short_ids
from sweepstake.view.table import (
    HYPERPARAMETER,
    OWN,
    QUEUEING,
    RESULT,
    Column,
    Table,
    experiment_table,
    job_table,
)
from sweepstake.view.text import boxed, paragraphs
from sweepstake.view.times import ago, iso, local

__all__ = [
    "as_json",
    "format_option",
    "page",
    "print_experiment",
    "print_job",
    "print_rows",
    "rows_as_json",
    "say",
    "screen_width",
    "wide_option",
]

#: What is a Unix time wherever it stands beside the records.
_MOMENTS: Final = {*TIMES, "active_at", "expires_at", "last_activity", "written_at", "since", "made", "ends"}
_OF_USERS: Final = {"hyperparameters", "results", "late_results", "origin"}

C = TypeVar("C", bound=Callable[..., Any])


#: What `less` does unless its user has said otherwise: end at once if all fits, show colours, leave the text there.
_LESS = "FRX"


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
    """Print records, or lists and dicts of them, as JSON.

    Times are ISO 8601 in UTC; non-finite numbers are {"$number": "NaN"} and so on.
    """
    click.echo(json.dumps(_timed(to_tree(value)), indent=2))


def rows_as_json(table: Table) -> None:
    """Print a table as JSON, with times as `as_json` writes them; values of users stay, whatever they are called."""
    timed = table.mapped(lambda column, value: iso(value) if _is_moment(column) else value)
    click.echo(json.dumps(to_tree(timed.records()), indent=2))


def _is_moment(column: Column) -> bool:
    return column.category == QUEUEING and column.name in TIMES


def _timed(tree: Any) -> Any:
    """Write moments as ISO 8601, but for what is in the values of users."""
    if isinstance(tree, list):
        return [_timed(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: value
        if name in _OF_USERS
        else iso(value)
        if name in _MOMENTS and isinstance(value, float)
        else _timed(value)
        for name, value in tree.items()
    }


def print_rows(rows: Sequence[Mapping[str, Any]], *, wide: bool = False) -> None:
    """Print a table, fitted into the terminal unless `wide` is asked for; what is a moment is said as one."""
    width = screen_width(wide=wide)

    def text(column: Column, value: Any) -> Any:
        if column.name not in _MOMENTS or not isinstance(value, float):
            return value
        return local(value) if width is None else ago(value, time.time())

    table = Table.of({Column(OWN, name): value for name, value in row.items()} for row in rows).mapped(text)
    page(boxed(table if width is None else with_short_ids(table), width))


def print_experiment(record: ExperimentRecord) -> None:
    """Print an experiment as a paragraph."""
    click.echo(paragraphs(experiment_table([record])))


def print_job(record: JobRecord) -> None:
    """Print a job as a paragraph: id, status, hyperparameters, results."""
    click.echo(paragraphs(job_table([record]).of_categories(OWN, HYPERPARAMETER, RESULT)))


def wide_option(command: C) -> C:
    """Add `--wide` to a command that prints tables."""
    return click.option("--wide", is_flag=True, help="Show whole ids, values and tables, however wide.")(command)


def screen_width(*, wide: bool = False) -> int | None:
    """Return the columns of the terminal that is printed to; None if it is no terminal, or all is wanted."""
    return None if wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns


def page(text: str) -> None:
    """Print text; what is longer than the terminal goes through the user's pager."""
    if not text:
        return
    if not sys.stdout.isatty() or text.count("\n") + 2 < shutil.get_terminal_size().lines:
        click.echo(text)
        return
    os.environ.setdefault("LESS", _LESS)
    click.echo_via_pager(text)
