"""What a worker does again and again beside its work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["repeated"]


@contextmanager
def repeated(do: Callable[[], None], pause: float, name: str) -> Iterator[None]:
    """Call a function again and again within the block; at its end it has returned, and is not called any more.

    Args:
        do: called on a thread of its own; what it raises ends that.
        pause: seconds between its return and the next call, and before the first.
        name: of the thread.
    """
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(pause):
            do()

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
