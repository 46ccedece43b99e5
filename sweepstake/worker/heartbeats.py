"""The process that renews the leases of a worker's commands: ``python -m sweepstake.worker.heartbeats``.

It reads one JSON object per line: first ``{"url", "token", "grace"}``, then ``{"hold", "lease", "group", "ending",
"run"}`` for each attempt that begins, ``{"ended"}`` when its command has ended, and ``{"drop"}`` when that was
reported. It writes ``{"ready"}`` once it renews leases. When the queue says that an attempt should stop, it ends the
command's process group and writes ``{"attempt", "signal"}``. When a command has ended, it ends what left its group.
When its input ends while commands run, their worker has died: they are ended as well, because somebody else will run
those jobs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO, Any, Final

from sweepstake.client import Heartbeat
from sweepstake.clock import SystemClock
from sweepstake.config import read_config
from sweepstake.connection import open_sender
from sweepstake.domain.status import Signal
from sweepstake.queue.retrying import outlast, patient_queue
from sweepstake.worker.leftovers.processes import Sweeper
from sweepstake.worker.process import Group, end_outliving

__all__ = ["main", "serve"]

#: Seconds between two looks whether commands have ended that were asked to.
_LOOK: Final = 0.05


class _Held:
    """An attempt whose command runs elsewhere.

    Attributes:
        group: the command's process group, as long as it runs.
        ending: a command that ends what may outlive the group.
        run: the name by which the processes are known that left it; nothing if they are not.
    """

    def __init__(
        self, attempt: str, group: int | None, ending: Sequence[str], run: str, grace: float, answers: IO[str]
    ) -> None:
        self.ending = ending
        self.run = run
        self.group = None if group is None else Group(group)
        self._attempt = attempt
        self._grace = grace
        self._answers = answers

    def receive(self, sign: Signal) -> None:
        """End the command when the queue says that the attempt should stop or is over."""
        if sign is Signal.CONTINUE:
            return
        with suppress(OSError):  # the worker is gone; its command is ended all the same
            self._answers.write(json.dumps({"attempt": self._attempt, "signal": sign.value}) + "\n")
            self._answers.flush()
        group = self.group
        if group is not None:
            group.end(self._grace)

    def forget(self) -> None:
        """Leave the process group alone from now on, as the command has ended."""
        self.ending = ()
        if self.group is not None:
            self.group.forget()
            self.group = None


def serve(heartbeat: Heartbeat, lines: Iterable[str], answers: IO[str], grace: float) -> None:
    """Hold and drop attempts as the lines say; after the last line, end the commands that still run."""
    held: dict[str, _Held] = {}
    sweeper = Sweeper()
    for line in lines:
        message: dict[str, Any] = json.loads(line)
        if "hold" in message:
            attempt = message["hold"]
            held[attempt] = _Held(attempt, message["group"], message["ending"], message["run"], grace, answers)
            heartbeat.add(attempt, message["lease"], held[attempt])
        elif message.get("ended") in held:
            ended = held[message["ended"]]
            ended.forget()
            if ended.run:
                sweeper.add(ended.run)
        elif message.get("drop") in held:
            heartbeat.remove(message["drop"])
            held.pop(message["drop"]).forget()
    _end_orphans(held.values(), grace)
    for each in held.values():
        if each.run:
            sweeper.add(each.run)
    sweeper.close()


def _end_orphans(orphans: Iterable[_Held], grace: float) -> None:
    """End commands whose worker has died, and return when they have ended."""
    groups = [each.group for each in orphans if each.group is not None]
    for group in groups:
        group.end(grace)
    until = time.monotonic() + grace
    while groups and time.monotonic() < until:
        time.sleep(_LOOK)
        for group in [group for group in groups if not group.send(0)]:
            group.forget()  # its number may soon be another's
            groups.remove(group)
    for group in groups:
        group.kill()
    for each in orphans:
        end_outliving(each.ending)


def main() -> None:
    """Renew leases until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the worker is told as well, and closes our input when it is done
    settings = json.loads(sys.stdin.readline())
    clock = SystemClock()
    config = read_config(settings["url"], settings["token"])
    queue = patient_queue(outlast(lambda: open_sender(config), clock, time.sleep), clock, os.urandom, time.sleep)
    heartbeat = Heartbeat(queue, clock)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 -- the worker listens
    serve(heartbeat, sys.stdin, sys.stdout, settings["grace"])
    os._exit(0)  # nothing to close: leases are held by name, and a beat under way may be waiting for the network


if __name__ == "__main__":
    main()
