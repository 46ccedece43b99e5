"""A progress bar for whoever watches."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

__all__ = ["measured", "watched"]


def watched(
    description: str, total: int | None, *, least: int = 0, wanted: bool | None = None
) -> AbstractContextManager[Callable[[int], None]]:
    """Show a progress bar on standard error inside the block; call what it gives with each number of things done.

    Args:
        description: what is done.
        total: how many there are; None if that is not known.
        least: of fewer no bar is shown.
        wanted: whether to show it; None: if somebody watches standard error and it is worth it.
    """
    worth_it = sys.stderr.isatty() and (total is None or total >= least)
    if not (worth_it if wanted is None else wanted):
        return nullcontext(deque[int](maxlen=0).append)  # which keeps nothing
    return _advanced(description, total)


@contextmanager
def _advanced(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    with _bar(description, total) as update:
        yield lambda done: update(advance=done)


@contextmanager
def measured(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar to whoever watches; call what it gives with how much of how much is done, however often."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with _bar(description, None) as update:
        yield lambda done, total: update(completed=min(done, total), total=total)


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Callable[..., None]]:
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
        yield partial(bar.update, bar.add_task(description, total=total))
