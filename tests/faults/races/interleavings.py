"""F8: two calls on one job whose lease is over, made at the same time in every way that two calls can be."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from typing import Final

from attrs import evolve, field, frozen

from sweepstake.clock import SystemClock
from sweepstake.queue.queue import Queue
from sweepstake.stores.postgres.engine import PostgresEngine
from sweepstake.stores.sqlite.engine import SqliteEngine
from sweepstake.stores.urls import SqliteUrl, parse_store_url
from tests.faults.fault import Fault, Figures, Place
from tests.faults.races.acts import ACTS, check_told, found_nothing, without_claiming
from tests.faults.races.calls import Call, Scene
from tests.faults.races.ledger import snapshot
from tests.faults.races.moments import ObservedEngine, observing
from tests.faults.races.sides import Side, play
from tests.kit.lab import Lab
from tests.kit.stores import Kept

__all__ = ["FAULT", "open_observed", "open_two"]

#: Of the leases that are renewed or begun here. An interleaving that takes half of it is made again.
_LEASE: Final = 4.0
_OVERDUE: Final = partial(Call, make=lambda scene, again: None, held=True, overdue=True)
_SITUATIONS: Final = (
    _OVERDUE(name="any number", settings={"lease": _LEASE, "max_attempts": 2}),
    _OVERDUE(name="one at a time", settings={"lease": _LEASE, "max_attempts": 2, "max_running": 1}),
)
#: A side that comes to its end before the other goes on.
_NEVER: Final = -1


@frozen
class _Way:
    """One way of making two calls at once: the first halts, the second goes on to its own halt.

    Attributes:
        situation: number of the situation.
        acts: what the two sides do.
        halts: before which of its statements (of those that hold nothing, when they are made apart) each halts.
    """

    situation: int
    acts: tuple[str, str]
    halts: tuple[int, int]

    def __str__(self) -> str:
        sides = (f"{act}, halted before statement {halt}" for act, halt in zip(self.acts, self.halts, strict=True))
        return f"{_SITUATIONS[self.situation].name}: {' and '.join(sides)}"


@frozen
class _Outcome:
    """What came of two calls: what the store has, and what each was told."""

    state: str
    answers: tuple[str, str]

    def __str__(self) -> str:
        return "\n".join((*self.answers, self.state))


@frozen
class _Stage:
    """Where interleavings are made, and what comes of the calls transaction by transaction.

    Attributes:
        queues: of the two sides.
        between: for each statement of an act alone, whether nothing is held before it.
        serial: the outcomes known so far of two acts whose transactions do not overlap.
    """

    place: Place
    queue: Queue
    queues: tuple[Queue, Queue]
    between: dict[tuple[int, str], list[bool]] = field(factory=dict)
    serial: dict[_Way, _Outcome] = field(factory=dict)

    def learn(self) -> list[_Way]:
        """Look at each act alone, and return all ways to make two of them at once."""
        for situation, act in product(range(len(_SITUATIONS)), ACTS):
            first, _ = self._play(_Way(situation, (act, "heartbeat"), (_NEVER, _NEVER)), apart=True)[1]
            self.between[situation, act] = first.between
        return [
            _Way(situation, (first_act, second_act), (i, j))
            for situation, first_act, second_act in product(range(len(_SITUATIONS)), ACTS, ACTS)
            for i in range(len(self.between[situation, first_act]))
            for j in range(len(self.between[situation, second_act]))
        ]

    def try_way(self, way: _Way) -> None:
        """Make the two calls in one way; it must end as if their transactions had come one after the other.

        Raises:
            AssertionError: it ended otherwise, or somebody was told what is not so.
        """
        try:
            scene, sides = self._play(way, apart=False)
            check_told(scene, way.acts, [side.answer for side in sides])
        except AssertionError as error:
            error.add_note(str(way))
            raise
        outcome = _outcome(scene, sides)
        if any(known == outcome for known in self._in_turn(way.situation, way.acts)):
            return
        nothing = [found_nothing(side.answer) for side in sides]
        if any(nothing):
            first, second = (
                without_claiming(act) if none else (act,) for act, none in zip(way.acts, nothing, strict=True)
            )
            for acts in product(first, second):
                if any(known.state == outcome.state for known in self._in_turn(way.situation, acts)):
                    return
        known = {str(known) for known in self._in_turn(way.situation, way.acts)}
        raise AssertionError(f"{way}:\n{outcome}\n\nis none of\n\n" + "\n\n".join(sorted(known)))

    def _in_turn(self, situation: int, acts: tuple[str, str]) -> Iterator[_Outcome]:
        """Yield what comes of two acts in each order of their transactions, first one act after the other."""
        first, second = (range(sum(self.between[situation, act]) + 1) for act in acts)
        for halts in [(_NEVER, _NEVER), (0, _NEVER), *product(first, [*second, _NEVER])]:
            way = _Way(situation, acts, halts)
            if way not in self.serial:
                self.serial[way] = _outcome(*self._play(way, apart=True))
            yield self.serial[way]

    def _play(self, way: _Way, *, apart: bool) -> tuple[Scene, tuple[Side, Side]]:
        while True:
            scene = _SITUATIONS[way.situation].stage(partial(Lab.new, self.queue), self.place.store)
            first, second = (self._side(scene, way, side, apart=apart) for side in (0, 1))
            started = time.monotonic()
            play(first, second, apart=apart)
            if time.monotonic() - started < _LEASE / 2:
                return scene, (first, second)

    def _side(self, scene: Scene, way: _Way, side: int, *, apart: bool) -> Side:
        ours = evolve(scene, lab=Lab(self.queues[side], scene.lab.name))
        return Side(lambda: ACTS[way.acts[side]](ours, "ab"[side]), way.halts[side], apart=apart)


def _outcome(scene: Scene, sides: tuple[Side, Side]) -> _Outcome:
    first, second = (scene.names.blank(side.answer) for side in sides)
    return _Outcome(snapshot(scene.lab, scene.names), (first, second))


@contextmanager
def _open_stage(place: Place) -> Iterator[_Stage]:
    with ExitStack() as stack, observing():
        queues = [open_observed(place.store) for _ in range(3)]
        for queue in queues:
            stack.callback(queue.close)
            queue.ping()
        yield _Stage(place, queues[0], (queues[1], queues[2]))


def open_observed(url: str) -> Queue:
    """Open a store whose calls tell of their moments, while `observing`."""
    place, clock = parse_store_url(url), SystemClock()
    engine = SqliteEngine(place.path, clock) if isinstance(place, SqliteUrl) else PostgresEngine(place)
    return Kept(ObservedEngine(engine), clock)


@contextmanager
def open_two(url: str) -> Iterator[tuple[Queue, Queue]]:
    """Open a store twice, as two processes do, of which both tell of their moments."""
    with ExitStack() as stack, observing():
        queues = open_observed(url), open_observed(url)
        for queue in queues:
            stack.callback(queue.close)
        yield queues


def interleave(place: Place, size: int) -> Figures:
    """Make `size` of all interleavings, evenly chosen."""
    with _open_stage(place) as stage:
        ways = stage.learn()
        step = max(1.0, len(ways) / size)
        for i in range(size):
            stage.try_way(ways[int(i * step) % len(ways)])
    return {"interleavings": size, "of so many ways": len(ways), "pairs of calls": len(ACTS) ** 2}


FAULT = Fault(
    number="F8",
    words="settling, finishing, beating, pruning, retrying, putting, claiming: two at a time, halted at each statement",
    holds="it ends as if one had come after the other, everybody was told the truth, nothing is overwritten",
    run=interleave,
    unit="interleavings",
    small=24,
    full=1000,
)
