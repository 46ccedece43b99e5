"""What is in an experiment, compared with the model of it."""

from collections.abc import Sequence

from sweepstake.domain.keys import name_of
from tests.kit.lab import Lab
from tests.kit.walks.model import Attempt, Model

__all__ = ["agree"]


def agree(lab: Lab, model: Model) -> None:
    """Compare jobs, their order and their attempts.

    Raises:
        AssertionError: they are not those of the model.
    """
    jobs = lab.jobs()
    assert [job.id for job in jobs] == model.order()
    assert lab.record().created == model.created
    for job in jobs:
        known = model.jobs[job.id]
        current = known.current
        assert (job.status, job.results.decode()["n"]) == (known.status, known.n), job
        assert (job.attempt, job.leased) == (len(known.attempts), current is not None and current.leased), job
        assert job.waiting == model.unfinished(job.id), job
        if known.attempts:
            _agree_on_attempts(lab, job.id, known.attempts)


def _agree_on_attempts(lab: Lab, job_id: str, known: Sequence[Attempt]) -> None:
    found = lab.attempts(job_id)
    assert [(one.number, one.key, one.outcome) for one in found] == [
        (number, _name(one.key), one.outcome) for number, one in enumerate(known, 1)
    ]
    late = [one.late_results and one.late_results.decode()["n"] for one in found]
    assert late == [one.late for one in known]


def _name(key: str) -> str:
    """Return what is told of the key of an attempt, which may be that of an item of a call."""
    call, dot, item = key.partition(".")
    return f"{name_of(call)}{dot}{item}"
