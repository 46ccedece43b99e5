"""What may be done to a job whose lease is over, and whether what everybody was told is what was kept."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import AttemptRecord, Claim, Finished, NoJob
from sweepstake.domain.status import JobStatus, Outcome, Signal
from tests.faults.races.calls import Scene
from tests.kit.lab import Lab, document

__all__ = ["ACTS", "check_told", "found_nothing", "without_claiming"]

#: One act: told the letter with which its keys end.
Act: TypeAlias = Callable[[Scene, str], object]


def _finish(scene: Scene, who: str, outcome: Outcome = Outcome.DONE) -> object:
    return scene.lab.finish(scene.claim, outcome, {"by": who}, key=scene.names.key("don" + who))


def _finish_and_claim(scene: Scene, who: str) -> object:
    done, following = scene.names.key("don" + who), scene.names.key("gon" + who)
    return scene.lab.finish(scene.claim, results={"by": who}, key=done, next_key=following)


def _report(scene: Scene, who: str) -> object:
    of = document(JobStatus.DONE, {"i": 0}, {"by": who})
    return scene.lab.put(scene.claim.job.id, of, key=scene.names.key("put" + who), attempt=scene.claim.key)


def _overwrite(scene: Scene, who: str) -> object:
    of = document(JobStatus.QUEUED, {"i": 0}, {"by": who})
    return scene.lab.put(scene.claim.job.id, of, key=scene.names.key("put" + who))


def _retry(scene: Scene, who: str) -> object:
    return scene.lab.retry(scene.claim.job.id, key=scene.names.key("ret" + who))


def _set_queueing(scene: Scene, who: str) -> object:
    return scene.lab.set_queueing(scene.claim.job.id, notes=who, key=scene.names.key("que" + who))


_SETTLING = "settling"
_CLAIMING = "claiming again"
_FINISHING = "finishing"
_BOTH = "finishing and claiming"
_READING = "reading"
_OTHERS = ("pruning", "putting by another")

ACTS: Final[dict[str, Act]] = {
    _SETTLING: lambda scene, who: scene.lab.offer(),
    _CLAIMING: lambda scene, who: scene.lab.ask(worker=who, key=scene.names.key("cla" + who)),
    _FINISHING: _finish,
    "crashing": partial(_finish, outcome=Outcome.CRASHED),
    _BOTH: _finish_and_claim,
    "heartbeat": lambda scene, who: scene.lab.beat(scene.claim),
    "pruning": lambda scene, who: scene.lab.prune(scene.claim.job.id, key=scene.names.key("pru" + who)),
    _READING: lambda scene, who: scene.lab.job(scene.claim.job.id),
    "retrying": _retry,
    "changing the queueing": _set_queueing,
    "putting by the holder": _report,
    "putting by another": _overwrite,
}


def found_nothing(answer: object) -> bool:
    """Tell whether an act looked for a job and got none, as may happen while the other has the lock on it."""
    return isinstance(answer.next if isinstance(answer, Finished) else answer, NoJob)


def without_claiming(act: str) -> tuple[str, ...]:
    """Return what an act may be that looked for a job and got none: a job that is locked is not settled either."""
    return {_CLAIMING: (_SETTLING, _READING), _BOTH: (_FINISHING,), _SETTLING: (_SETTLING, _READING)}.get(act, (act,))


def check_told(scene: Scene, acts: Sequence[str], answers: Sequence[object]) -> None:
    """Hold each answer against what the store has kept.

    Raises:
        AssertionError: somebody was told what is not so.
    """
    attempts = scene.lab.attempts(scene.claim.job.id)
    first = attempts[0]
    assert sum(attempt.outcome is None for attempt in attempts) <= 1, "two attempts are open"
    for i, (act, answer) in enumerate(zip(acts, answers, strict=True)):
        disturbed = acts[1 - i] in _OTHERS
        if isinstance(answer, Finished):
            # Of two reports on one attempt, both late, the first is kept.
            reporters = "ab" if isinstance(answers[1 - i], Finished) else "ab"[i]
            _check_finished(first, act, answer, reporters)
            if isinstance(answer.next, Claim) and not disturbed:
                _check_claim(scene.lab, answer.next)
        if isinstance(answer, Claim) and not disturbed:
            _check_claim(scene.lab, answer)
        if isinstance(answer, Signal):
            lost = first.outcome is Outcome.LEASE_LOST
            assert not (answer is Signal.CONTINUE and lost), "told to go on, and the lease is lost"
            assert answer is Signal.CONTINUE or first.outcome is not None, f"told {answer}, and the attempt is open"


def _check_finished(first: AttemptRecord, act: str, answer: Finished, reporters: str) -> None:
    wanted = Outcome.CRASHED if act == "crashing" else Outcome.DONE
    if answer.recorded:
        assert first.outcome is wanted, f"told that it was recorded, and the attempt is {first.outcome}"
        assert first.late_results is None, "recorded, and late as well"
    else:
        assert first.outcome is not None, "told that it came late, and the attempt is open"
        assert first.late_results is not None, "what came late is gone"
        assert first.late_results.decode()["by"] in reporters, "what came late is another's"


def _check_claim(lab: Lab, claim: Claim) -> None:
    attempt = lab.attempts(claim.job.id)[claim.job.attempt - 1]
    assert (attempt.key, attempt.outcome) == (name_of(claim.key), None), (
        f"was given {claim.key}, and there is {attempt}"
    )
