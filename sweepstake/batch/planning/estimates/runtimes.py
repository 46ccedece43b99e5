"""How long a job is expected to run, learnt from like jobs that have finished."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from sweepstake.batch.planning.estimates.boosting import Boosted, boosted
from sweepstake.batch.planning.estimates.likeness import Like, alike
from sweepstake.errors import PlanError, shown

__all__ = ["Estimate", "Runtimes", "learn_runtimes"]

#: So many of the last finished jobs are learnt from.
_MOST: Final = 2000


@frozen
class Estimate:
    """How long a job is expected to run.

    Attributes:
        seconds: no more than this, with the probability that was asked for.
        source: what it was learnt from: ``fallback``, or a text such as ``0.9 quantile of 12 jobs with epochs > 5``.
    """

    seconds: float
    source: str


@frozen
class Runtimes:
    """What was learnt; call it with hyperparameters."""

    _quantile: float
    _fallback: float | None
    _like: Like | None
    _model: Boosted | None

    def __call__(self, hyperparameters: Mapping[str, Any]) -> Estimate:
        """Return the estimate for a job of these hyperparameters."""
        if self._like is None:
            assert self._fallback is not None
            return Estimate(self._fallback, "fallback")
        if self._model is not None:
            return Estimate(self._model(hyperparameters), f"boosted {self._quantile:g} quantile of {self._model.said}")
        like = self._like.of(hyperparameters)
        return Estimate(_quantile(like.seconds, self._quantile), f"{self._quantile:g} quantile of {like.said}")


def learn_runtimes(
    finished: Iterable[tuple[Mapping[str, Any], float]],
    *,
    quantile: float = 0.9,
    fallback: float | None,
    boost: bool = False,
) -> Runtimes:
    """Learn from finished jobs how long jobs run, by the hyperparameters that matter.

    Like jobs are found by splitting the finished ones where that tells short from long, as long as chance alone would
    not; the estimate is a quantile of those that are like the job that is asked for. The last 2000 are looked at.

    Args:
        finished: hyperparameters of jobs that have finished, and how many seconds each ran. Those that were ended by a
            time limit are no estimates.
        quantile: which share of jobs shall run no longer than its estimate; above 0, at most 1.
        fallback: the estimate in seconds where nothing has finished; it is used as it is.
        boost: fit scikit-learn's gradient boosting with a quantile loss instead, which follows trends between jobs.

    Raises:
        PlanError: nothing has finished and there is no fallback, or a number is wrong.
        MissingExtraError: `boost` needs the extra ``estimates``.
    """
    if not (_number(quantile) and 0 < quantile <= 1):
        raise PlanError(f"quantile: must be above 0 and at most 1, is {shown(quantile)}")
    if fallback is not None and not _number(fallback):
        raise PlanError(f"fallback: must be a number of seconds from 0, is {shown(fallback)}")
    known = list(finished)[-_MOST:]
    for _, seconds in known:
        if not _number(seconds):
            raise PlanError(f"finished: seconds must be a number from 0, are {shown(seconds)}")
    if not known and fallback is None:
        raise PlanError("no job has finished yet to estimate from; say how long one runs, with --estimate")
    like = alike(known) if known else None
    model = boosted(known, quantile) if boost and known else None
    return Runtimes(float(quantile), None if fallback is None else float(fallback), like, model)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _quantile(ordered: Sequence[float], quantile: float) -> float:
    """Return the least of these seconds that so many of them do not exceed."""
    return ordered[math.ceil(quantile * len(ordered) - 1e-9) - 1]
