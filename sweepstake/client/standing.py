"""How an experiment stands, in one word."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sweepstake.domain.counts import Counts
from sweepstake.domain.records import ExperimentRecord
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import NotFoundError
from sweepstake.queue.queue import Queue
from sweepstake.search import NoProposal, Proposal, policy_for

__all__ = ["SUBMITTING", "Standing", "has_spec", "is_being_submitted", "makes_more", "standing", "what_next"]

#: Begins the tag of a new experiment whose spec is being submitted.
SUBMITTING: Final = "submitting"


class Standing(StrEnum):
    """What goes on in an experiment."""

    #: Workers hold jobs of it.
    RUNNING = "running"
    #: It may be claimed from, and nobody does.
    IDLE = "idle"
    #: Nothing is claimed from it until it is resumed.
    PAUSED = "paused"
    #: All that was to be done has ended.
    COMPLETE = "complete"


#: Of these searches nothing more comes.
_OVER: Final = frozenset({NoProposal.EXHAUSTED, NoProposal.COMPLETE})


def standing(record: ExperimentRecord, counts: Counts) -> Standing:
    """Return how an experiment stands.

    Where no job waits and none can come, it is complete, whether or not a worker has been told so yet. Else one that is
    DONE was paused if jobs wait in it or if its search would go on.
    """
    waits = bool(counts.ready or counts.blocked or counts.delayed)
    if record.status is ExperimentStatus.RUNNING:
        if counts.running:
            return Standing.RUNNING
        return Standing.COMPLETE if not waits and what_next(record) in _OVER else Standing.IDLE
    if waits or isinstance(what_next(record), Proposal):
        return Standing.PAUSED
    return Standing.RUNNING if counts.running else Standing.COMPLETE


def is_being_submitted(record: ExperimentRecord) -> bool:
    """Tell whether an experiment waits for the last of its jobs, before which none can be claimed."""
    tags = record.settings.tags
    return record.status is ExperimentStatus.DONE and any(tag.startswith(f"{SUBMITTING}:") for tag in tags)


def has_spec(queue: Queue, name: str) -> bool:
    """Tell whether a spec was submitted with an experiment, which is there."""
    try:
        queue.get_spec(name)
    except NotFoundError:
        return False
    return True


def makes_more(record: ExperimentRecord) -> bool:
    """Tell whether the search of an experiment makes jobs that are not there yet, be it once others have ended."""
    following = what_next(record)
    return isinstance(following, Proposal) or following is NoProposal.WAITING


def what_next(record: ExperimentRecord) -> Proposal | NoProposal:
    """Return what the search would propose; one that needs the jobs before cannot tell, and counts as waiting."""
    most = record.settings.max_jobs
    if most is not None and record.created >= most:
        return NoProposal.COMPLETE
    policy = policy_for(record.search)
    return NoProposal.WAITING if policy.history else policy.propose(record.proposals, record.settings.seed or 0, ())
