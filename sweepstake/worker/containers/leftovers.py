"""Containers that outlived their worker: found by their names, and ended by the next worker of this user and host."""

from __future__ import annotations

from typing import Final

from sweepstake.worker.containers.arguments import Engine, list_call, remove_call
from sweepstake.worker.containers.engines import answer
from sweepstake.worker.leftovers.living import Living

__all__ = ["LABEL", "end_leftovers"]

#: Marks every container that we start; its value is what the name begins with, but for the attempt.
LABEL: Final = "sweepstake.worker"


def end_leftovers(engine: Engine, living: Living) -> list[str]:
    """End all containers of dead workers that this one looks after; return their names."""
    call = list_call(engine, LABEL)
    if call is None:
        return []
    ended = []
    for name in answer(call).stdout.split():
        with living.was_left(name) as dead:
            remove = remove_call(engine, name)
            if dead and remove is not None and answer(remove).returncode == 0:
                ended.append(name)
    return ended
