"""Keeping so many workers up on a Ray cluster as the queue has work for, until it has none."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from attrs import define, frozen

from sweepstake.batch.ray.cluster import Cluster, Lost, Node, Placed
from sweepstake.batch.ray.scaling import Demand, more_workers
from sweepstake.batch.ray.watch import Watch
from sweepstake.errors import ConfigurationError, SubmissionError
from sweepstake.plaintext import counted
from sweepstake.worker.stopping import Signals, Stop, next_step

__all__ = ["Crew", "Ended", "Size"]

#: Seconds between two looks at the cluster.
_LOOK: Final = 0.2
#: Seconds before another worker is started after one that died: growing with each that follows, without a job between.
_AGAIN: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: Exit codes above this are those of workers that a signal ended.
_SIGNALLED: Final = 128
#: Seconds that workers have to end after their commands were killed.
_KILLED: Final = 15.0


@frozen(kw_only=True)
class Size:
    """What a worker is given.

    Attributes:
        resources: in Ray's words; None: the whole of a node.
        jobs: how many it runs side by side; None: as many as go into what it has.
    """

    resources: Mapping[str, float] | None
    jobs: int | None = 1


@frozen(kw_only=True)
class Ended:
    """How the work of a crew ended.

    Attributes:
        stopped_by: the last signal that told it.
        step: how urgently.
        code: the exit code of a worker that could not work, if that was the end; else 0.
        left: jobs that wait, and that no worker took.
    """

    stopped_by: signal.Signals | None = None
    step: Stop = Stop.NO
    code: int = 0
    left: int = 0


@define(eq=False)
class _Member:
    """One worker of the crew.

    Attributes:
        placed: its actor.
        name: what it is called for people.
        on: the node that it was asked for on, if on one.
        host: where it is; empty before it has begun.
        node: the same in Ray's words.
        known: how many lines of it were heard.
        mark: what there was to take when it began.
        again: the moment at which it is asked again that did not answer.
    """

    placed: Placed
    name: str
    on: str | None
    host: str = ""
    node: str = ""
    known: int = 0
    mark: tuple[int, int] | None = None
    again: float = math.inf


class Crew:
    """The workers of one command on a cluster.

    Args:
        cluster: where they are.
        order: how one is started.
        size: what each is given.
        watch: what there is to do.
        idle: seconds without anything to do after which the crew ends.
        tell: takes a line for people.
    """

    def __init__(
        self,
        cluster: Cluster,
        order: bytes,
        size: Size,
        watch: Watch,
        idle: float,
        tell: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._order = order
        self._size = size
        self._watch = watch
        self._idle = idle
        self._tell = tell
        self._members: list[_Member] = []
        self._step = Stop.NO
        self._stopped_by: signal.Signals | None = None
        self._killed_at = math.inf
        self._busy_at = time.monotonic()
        self._changed_at = self._busy_at
        self._failures = 0
        self._not_before = 0.0
        self._fruitless: tuple[int, int] | None = None
        #: Nodes on which a worker could not work: why, and its exit code.
        self._unfit: dict[str, int] = {}
        self._begun = 0
        self._placed = 0
        self._told_of_room = False

    def run(self, signals: Signals) -> Ended:
        """Keep workers up until there is nothing to do any more, or signals tell to stop.

        Raises:
            ConfigurationError: no worker can begin on this cluster; the message says why.
            SweepstakeError: the queue cannot be asked.
        """
        while True:
            with suppress(TimeoutError):
                self._heed(signals.next(time.monotonic() + _LOOK))
            self._hear()
            over = self._end() if self._step is Stop.NO else self._stopped()
            if over is not None:
                return over
            if self._step is Stop.NO:
                try:
                    self._start_more()
                except SubmissionError as error:
                    self._not_before = time.monotonic() + _AGAIN[-1]
                    self._tell(f"{error}; it is asked again")

    def close(self) -> None:
        """Leave nothing behind on the cluster."""
        for each in self._members:
            each.placed.remove()
        self._members.clear()

    # Signals

    def _heed(self, number: signal.Signals | None) -> None:
        if number is None:
            return
        self._stopped_by = number
        self._step = next_step(self._step, drains=True)
        if self._step is Stop.KILL:
            self._killed_at = min(self._killed_at, time.monotonic())
        waiting = [each for each in self._members if not each.host]
        for each in waiting:
            self._remove(each)
        does = {
            Stop.DRAIN: "take no more jobs (again: end them)",
            Stop.END: "end theirs and give them back (again: kill)",
        }
        them = counted(len(self._members), "worker")
        self._tell(f"{number.name}: {them} {does.get(self._step, 'kill theirs')}" if self._members else number.name)
        for each in self._members:
            each.placed.signal()

    def _stopped(self) -> Ended | None:
        if self._members and time.monotonic() < self._killed_at + _KILLED:
            return None
        return Ended(stopped_by=self._stopped_by, step=self._step)

    # What workers say

    def _hear(self) -> None:
        for each in self._members:
            if each.placed.call is None and time.monotonic() >= each.again:
                each.again = math.inf
                each.placed.ask(each.known)
        found = {each.placed: each for each in self._members}
        for placed, answer in self._cluster.answered(list(found)):
            member = found[placed]
            if answer is None:
                member.again = time.monotonic() + _AGAIN[1]
            elif isinstance(answer, Lost):
                self._lost(member, answer)
            elif "problem" in answer:
                self._began(member, answer)
            else:
                self._heard(member, answer)

    def _began(self, member: _Member, answer: Mapping[str, str]) -> None:
        member.host, member.node = answer["host"], answer["node"]
        if answer["problem"]:
            self._remove(member)
            self._give_up(member.node, answer["problem"], 1)
            return
        self._begun += 1
        member.mark = self._mark()
        self._say(member, "a worker begins")
        member.placed.ask(0)

    def _heard(self, member: _Member, answer: Mapping[str, object]) -> None:
        lines, end = answer["lines"], answer["end"]
        assert isinstance(lines, list)
        for line in lines:
            self._say(member, line.removeprefix("[sweepstake] "))
        member.known += len(lines)
        if end is None:
            member.placed.ask(member.known)
            return
        assert isinstance(end, dict)
        self._over(member, end["code"], end["jobs"])

    def _over(self, member: _Member, code: int | None, jobs: int) -> None:
        """Note that a worker has ended."""
        self._remove(member)
        if jobs:
            self._failures = 0
        if code is None or code > _SIGNALLED:
            self._died(member, "its worker was killed")
        elif code and self._step is Stop.NO:
            self._give_up(member.node, f"the worker on {member.host} ended with exit code {code}", code)
        elif not jobs and member.mark == self._mark():
            self._fruitless = member.mark

    def _lost(self, member: _Member, lost: Lost) -> None:
        self._remove(member)
        self._died(member, f"the actor is gone: {lost.reason}")

    def _died(self, member: _Member, why: str) -> None:
        pause = _AGAIN[min(self._failures, len(_AGAIN) - 1)]
        self._failures += 1
        self._not_before = time.monotonic() + pause
        self._say(member, f"{why}; another begins elsewhere if there is work for it")

    def _give_up(self, node: str, why: str, code: int) -> None:
        """Start no more workers on a node."""
        if node in self._unfit:
            return
        self._unfit[node] = code
        if not self._begun:
            raise ConfigurationError(why)
        self._tell(f"{why}; no more workers begin there")

    def _remove(self, member: _Member) -> None:
        self._members.remove(member)
        member.placed.remove()
        self._changed_at = time.monotonic()
        self._watch.hurry()

    def _say(self, member: _Member, line: str) -> None:
        self._tell(f"{member.host or 'Ray'}/{member.name}: {line}")

    # How many

    def _mark(self) -> tuple[int, int] | None:
        seen = self._watch.seen()
        return None if seen is None else seen[1].mark

    def _end(self) -> Ended | None:
        """Return how it ended, if nothing is left to do."""
        seen = self._watch.seen()
        if self._members or seen is None or seen[0] < self._changed_at:
            return None
        _, demand = seen
        if self._unfit and self._has_no_fit_node():
            return Ended(code=max(self._unfit.values()), left=demand.ready)
        now = time.monotonic()
        if self._wanted(demand) or not demand.is_over:
            self._busy_at = now
        return None if now - self._busy_at < self._idle else Ended(left=demand.ready)

    def _has_no_fit_node(self) -> bool:
        with suppress(SubmissionError):  # the head is away for a while
            return all(each.id in self._unfit for each in self._cluster.nodes())
        return False

    def _wanted(self, demand: Demand) -> int:
        """Return how many workers to start, if there were no others."""
        if demand.mark == self._fruitless:
            return 0
        return more_workers(demand, up=0, starting=0, per_worker=self._size.jobs or 1)

    def _start_more(self) -> None:
        seen = self._watch.seen()
        now = time.monotonic()
        if seen is None or now < self._not_before or seen[0] < self._changed_at:
            return
        _, demand = seen
        waiting = [each for each in self._members if not each.host]
        if not self._wanted(demand):
            for each in waiting:
                self._remove(each)
            return
        # One that does not answer is about to be lost: its node may have died.
        up = sum(1 for each in self._members if each.host and each.again == math.inf)
        number = more_workers(demand, up=up, starting=len(waiting), per_worker=self._size.jobs or 1)
        if not number:
            return
        nodes = [each for each in self._cluster.nodes() if each.id not in self._unfit]
        for resources, on in self._places(nodes, number):
            placed = self._cluster.place(resources, on=on, off=self._unfit)
            placed.begin(self._order)
            self._placed += 1
            self._members.append(_Member(placed=placed, name=str(self._placed), on=on))

    def _places(self, nodes: Sequence[Node], number: int) -> Sequence[tuple[Mapping[str, float], str | None]]:
        """Return where so many workers may begin: anywhere, or on the nodes that have none."""
        wanted = self._size.resources
        if wanted is None:
            taken = {each.on for each in self._members}
            free = [each for each in nodes if each.id not in taken and each.resources.get("CPU", 0) >= 1]
            return [(_whole(each), each.id) for each in free[:number]]
        fits = any(all(each.resources.get(kind, 0) >= amount for kind, amount in wanted.items()) for each in nodes)
        if not fits and not self._told_of_room:
            lacking = ", ".join(f"{kind}={amount:g}" for kind, amount in wanted.items())
            self._tell(f"no node of the cluster has {lacking}; waiting for one that has")
            self._told_of_room = True
        return [(wanted, None)] * number


def _whole(node: Node) -> Mapping[str, float]:
    return {kind: node.resources[kind] for kind in ("CPU", "GPU", "memory") if node.resources.get(kind, 0) > 0}
