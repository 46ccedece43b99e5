"""F3: processes that are killed before or after any one of the statements of a call."""

import os
import signal
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

from attrs import evolve, frozen

from tests.faults.fault import DIRECT, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.faults.races.calls import CALLS, Scene
from tests.faults.races.ledger import snapshot
from tests.faults.races.moments import observing, watched
from tests.kit.lab import Lab
from tests.kit.stack import open_queue

__all__ = ["FAULT"]

#: How often a call may come to its end before the moment at which it should be killed.
_TRIES: Final = 5


class _Trap:
    """Counts the moments of a call, and kills the process at one of them."""

    def __init__(self, at: int | None) -> None:
        self.moments: list[str] = []
        self._at = at

    def reached(self, moment: str) -> None:
        """Note one more moment, which may be the last."""
        if len(self.moments) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.moments.append(moment)


def call_once(talk: "Connection[Any, Any]", url: str, number: int, scene: Scene, at: int | None) -> None:
    """Make the call of this number, and say its moments and its answer; die at moment `at`, if any."""
    trap = _Trap(at)
    with observing():
        queue = open_queue(url)
        queue.ping()
        ours = evolve(scene, lab=Lab(queue, scene.lab.name))
        with watched(trap.reached):
            answer = CALLS[number].make(ours, False)
    talk.send((trap.moments, ours.names.blank(answer)))
    queue.close()


@frozen
class _Expected:
    """How a call goes that nobody breaks off."""

    moments: list[str]
    answer: str
    state: str


def kill_at_each(place: Place, size: int) -> Figures:
    """Learn the moments of every call, then break it off at each; made again, it must end as if nothing had been.

    The full size breaks each of them off 20 times and more.
    """
    queue = open_queue(place.store)
    lab_of = partial(Lab.new, queue)
    expected = [_learn(lab_of, place, number) for number in range(len(CALLS))]
    moments = [(number, at) for number, one in enumerate(expected) for at in range(len(one.moments))]
    step = max(1.0, len(moments) / size)
    for i in range(size):
        number, at = moments[int(i * step) % len(moments)]
        _break_off(lab_of, place, number, at, expected[number])
    queue.close()
    return {"calls": len(CALLS), "moments": len(moments), "kills": size}


def _learn(lab_of: Any, place: Place, number: int) -> _Expected:
    """Return how a call goes when it asks as little as it may."""
    return min((_learn_once(lab_of, place, number) for _ in range(2)), key=lambda found: len(found.moments))


def _learn_once(lab_of: Any, place: Place, number: int) -> _Expected:
    scene = CALLS[number].stage(lab_of, place.store)
    with Hand(call_once, place.store, number, _told(scene), None) as hand:
        moments, answer = hand.hear()
        hand.end()
    assert moments, f"{CALLS[number].name} asks nothing of its database"
    return _Expected(moments, answer, snapshot(scene.lab, scene.names))


def _break_off(lab_of: Any, place: Place, number: int, at: int, expected: _Expected) -> None:
    call = CALLS[number]
    where = f"{call.name}, killed {expected.moments[at]!r}, moment {at}"
    for _ in range(_TRIES):
        scene = call.stage(lab_of, place.store)
        with Hand(call_once, place.store, number, _told(scene), at) as hand:
            if hand.hear() is not None:
                hand.end()
                continue  # it asked less this time: a connection need not be made twice, or looked after
            hand.join()
            assert hand.exitcode == -signal.SIGKILL, f"{where}: it ended with {hand.exitcode}"
            break
    else:
        raise AssertionError(f"{where}: it came to its end all the same")
    answer = scene.names.blank(call.make(scene, True))
    assert answer == expected.answer, f"{where}: the repeat answers\n{answer}\ninstead of\n{expected.answer}"
    state = snapshot(scene.lab, scene.names)
    assert state == expected.state, f"{where}: the store has\n{state}\ninstead of\n{expected.state}"


def _told(scene: Scene) -> Scene:
    """Return what of a scene can go to another process: all but our queue."""
    return evolve(scene, lab=Lab(None, scene.lab.name))  # type: ignore[arg-type]  # the process has its own


FAULT = Fault(
    number="F3",
    words="kill -9 before and after every statement and commit of a call, which another process then repeats",
    holds="nothing is half done, the repeat answers as the first call would have, and its effect is there once",
    run=kill_at_each,
    unit="kills",
    small=24,
    full=7000,
    full_kinds=DIRECT,
)
