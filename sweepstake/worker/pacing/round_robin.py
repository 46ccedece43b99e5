"""Whose turn it is when a worker takes jobs from several experiments: decisions, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import define

from sweepstake.domain.status import NoJobReason

__all__ = ["RoundRobin"]

#: Seconds between two looks for a job where there was none, growing from the first to the last.
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: Reasons for having no job that pass by themselves: nobody has to add one.
_PASSING: Final = {NoJobReason.BLOCKED, NoJobReason.DELAYED, NoJobReason.AT_LIMIT, NoJobReason.WAITING}
#: So many looks in a row must find an experiment stuck before it counts as stuck.
_SURE: Final = 2


@define
class _Turn:
    name: str
    due: float
    looks: int = 0
    given_back: int = 0
    answer: NoJobReason | None = None
    stuck: int = 0


class RoundRobin:
    """Lets experiments take turns: one job each, in the order they were named, round and round.

    One that has no job is passed over for 0.1 s, growing to 5 s while it stays so, each time up to a quarter longer or
    shorter so that many workers do not ask at once. So is one whose last job was given back, or that job would be
    claimed again at once.

    Args:
        names: the experiments.
        now: seconds of the clock that every other call's `now` reads.
        random: returns a number from 0 to 1.
    """

    def __init__(self, names: Iterable[str], now: float, random: Callable[[], float]) -> None:
        self._turns = [_Turn(name, now) for name in dict.fromkeys(names)]
        self._random = random
        self._active = now

    def turn(self, now: float) -> str | None:
        """Return the experiment to ask for a job now, and move it to the end of the round; None if none is due."""
        for place, turn in enumerate(self._turns):
            if turn.due <= now:
                self._turns.append(self._turns.pop(place))
                return turn.name
        return None

    def takes(self, name: str, now: float) -> bool:
        """Move an experiment to the end of the round if the turn is its; tell whether it was."""
        if next((turn.name for turn in self._turns if turn.due <= now), None) != name:
            return False
        return self.turn(now) == name

    def pause(self, now: float) -> float:
        """Return the seconds until the next turn; infinity if there is none."""
        return max(min((turn.due for turn in self._turns), default=float("inf")) - now, 0.0)

    def had(self, name: str, now: float) -> None:
        """Note that a job of the experiment was claimed."""
        turn = self._find(name)
        turn.looks, turn.answer, turn.stuck = 0, None, 0
        self._active = now

    def had_none(self, name: str, reason: NoJobReason, now: float, *, stuck: bool = False) -> None:
        """Note that the experiment had no job, and let it rest.

        Args:
            stuck: no job of it runs anywhere, so what is blocked stays so; believed when it is so twice in a row, for
                one look may fall between the end of a job and the claim of the next.
        """
        turn = self._find(name)
        turn.stuck = turn.stuck + 1 if stuck else 0
        turn.due, turn.answer = now + self._rest(turn.looks), reason
        turn.looks += 1

    def ended(self, name: str, now: float, *, given_back: bool) -> None:
        """Note that a job of the experiment ended here, after which there may be others to claim."""
        self._active = now
        turn = self._find(name)
        turn.looks, turn.answer, turn.stuck = 0, None, 0
        turn.given_back = turn.given_back + 1 if given_back else 0
        turn.due = now + self._rest(turn.given_back) if given_back else now

    def hurry(self, name: str, now: float) -> None:
        """Let an experiment rest no longer, because there may be a job of it for which there is room."""
        turn = self._find(name)
        turn.due = min(turn.due, now)

    def add(self, name: str, now: float) -> None:
        """Let an experiment take turns as well from now on."""
        self._turns.append(_Turn(name, now))

    def remove(self, name: str) -> bool:
        """Leave an experiment out from now on; tell whether others are left."""
        self._turns = [turn for turn in self._turns if turn.name != name]
        return bool(self._turns)

    def left(self, idle: float, now: float) -> float:
        """Return the seconds for which it is worth waiting for jobs; 0 when it is not.

        Jobs that are only delayed, blocked or held up by a limit are worth any time, unless they are stuck; otherwise
        `idle` seconds, counted from when a job was claimed or ended last, unless all experiments are DONE. A first
        experiment is waited for as long.
        """
        if any(turn.answer is None or (turn.answer in _PASSING and turn.stuck < _SURE) for turn in self._turns):
            return float("inf")
        if self._turns and all(turn.answer is NoJobReason.FINISHED for turn in self._turns):
            return 0.0
        return max(self._active + idle - now, 0.0)

    def _find(self, name: str) -> _Turn:
        """Return the turn of an experiment; for one that was removed meanwhile, a new one that nobody keeps."""
        return next((turn for turn in self._turns if turn.name == name), _Turn(name, 0.0))

    def _rest(self, times: int) -> float:
        return _PAUSES[min(times, len(_PAUSES) - 1)] * (0.75 + self._random() / 2)
