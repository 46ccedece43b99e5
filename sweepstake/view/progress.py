"""A progress bar for whoever watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

__all__ = ["progress", "watched"]


def watched(
    description: str, total: int | None, *, least: int = 0, wanted: bool | None = None
) -> AbstractContextManager[Callable[[int], None]]:
    """Show a progress bar inside the block, if somebody watches standard error and it is worth it.

    Args:
        description: what is done.
        total: how many there are; None if that is not known.
        least: of fewer no bar is shown.
        wanted: show one in any case, or in none; None: as said.

    Returns:
        A context manager, which gives what to call with each number of things done.
    """
    if wanted is None:
        wanted = sys.stderr.isatty() and (total is None or total >= least)
    if wanted:
        return progress(description, total)
    return nullcontext(_ignore)


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error inside the block; call what it gives with each number of things done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)


def _ignore(_done: int) -> None:
    """Show nothing."""
