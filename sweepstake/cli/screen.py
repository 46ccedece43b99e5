"""Where commands print to: a terminal of some size, or a file that takes everything."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["page", "screen_width", "wide_option"]

C = TypeVar("C", bound=Callable[..., Any])

#: What `less` does unless its user has said otherwise: end at once if all fits, show colours, leave the text there.
_LESS = "FRX"


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
