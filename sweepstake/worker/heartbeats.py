"""The process that renews the leases of a worker's commands: ``python -m sweepstake.worker.heartbeats``.

It reads one JSON object per line: first ``{"url", "token", "grace"}``, then ``{"hold", "lease", "group", "ending"}``
for each attempt that begins, ``{"ended"}`` when its command has ended, and ``{"drop"}`` when that was reported. It
writes ``{"ready"}`` once it renews leases. When the queue says that an attempt should stop, it ends the command's
process group and writes ``{"attempt", "signal"}``. When its input ends while commands run, their worker has died: they
are ended as well, because somebody else will run those jobs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO, Any

from sweepstake.client import Heartbeat
from sweepstake.clock import SystemClock
from sweepstake.config import read_config
from sweepstake.connection import open_sender
from sweepstake.domain.status import Signal
from sweepstake.queue.retrying import outlast, patient_queue
from sweepstake.worker.process import Group, end_outliving

__all__ = ["main", "serve"]


class _Held:
    """An attempt whose command runs elsewhere.

    Attributes:
        group: the command's process group, as long as it runs.
        ending: a command that ends what may outlive the group.
    """

    def __init__(self, attempt: str, group: int | None, ending: Sequence[str], grace: float, answers: IO[str]) -> None:
        self.ending = ending
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
        if self.group is not None:
            self.group.forget()
            self.group = None


def serve(heartbeat: Heartbeat, lines: Iterable[str], answers: IO[str], grace: float) -> None:
    """Hold and drop attempts as the lines say; after the last line, end the commands that still run."""
    held: dict[str, _Held] = {}
    for line in lines:
        message: dict[str, Any] = json.loads(line)
        if "hold" in message:
            attempt = message["hold"]
            held[attempt] = _Held(attempt, message["group"], message["ending"], grace, answers)
            heartbeat.add(attempt, message["lease"], held[attempt])
        elif message.get("ended") in held:
            held[message["ended"]].forget()
        elif message.get("drop") in held:
            heartbeat.remove(message["drop"])
            held.pop(message["drop"]).forget()
    orphans = [(each.group, each.ending) for each in held.values() if each.group is not None]
    for group, _ in orphans:
        group.end(grace)
    if orphans:
        time.sleep(grace)
    for group, _ in orphans:
        group.kill()
    for _, ending in orphans:
        end_outliving(ending)


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
