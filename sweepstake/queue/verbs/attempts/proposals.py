"""Jobs that a search proposes when nothing is ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sweepstake.domain.addresses import called
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import proposal_id
from sweepstake.domain.records import ExperimentRecord, JobRecord, NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.errors import LimitReachedError, StoreUnavailableError
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import end_experiment, get_experiment, outlook
from sweepstake.queue.verbs.jobs import recent_jobs
from sweepstake.search import NoProposal, Proposal

__all__ = ["propose"]

T = TypeVar("T")

#: How often a proposal may find that another was stored first; each time somebody else got one.
_MOST_TRIES: Final = 1000


def propose(
    store: Store, name: str, key: str, keep: Callable[[JobDraft, int], T | None], *, ends: bool = True
) -> T | NoJob | None:
    """Let the experiment's search propose a job and store it.

    The search reads and thinks outside any lock. `keep(draft, proposals)` stores the draft only if `proposals`
    is still the number made; otherwise the search thinks again about what is there now.

    Args:
        key: op key of the call; the id of the new job is made of it, so a repeat can find it.
        keep: stores the draft; None when another proposal came first.
        ends: whether a search that is complete ends the experiment, so that nobody gets a job of it any more.

    Returns:
        What was kept, or why there is nothing; None if a job has become ready meanwhile.
    """
    for _ in range(_MOST_TRIES):
        with store.read() as transaction:
            experiment = get_experiment(transaction, name)
        if experiment.status is ExperimentStatus.DONE:
            return NoJob(NoJobReason.FINISHED)
        proposal = _think(store, experiment)
        if isinstance(proposal, NoProposal):
            if proposal is NoProposal.COMPLETE and not ends:
                return NoJob(NoJobReason.FINISHED)
            return _none(store, experiment, proposal, key)
        draft = JobDraft(
            id=proposal_id(key),
            hyperparameters=proposal.hyperparameters,
            results=proposal.results,
            origin=proposal.origin,
        )
        try:
            kept = keep(draft, experiment.proposals)
        except LimitReachedError:
            return NoJob(_limit_reached(experiment))
        if kept is not None:
            return kept
    raise StoreUnavailableError(f"too many workers ask {called(name)!r} for proposals at once; try again")


def _think(store: Store, experiment: ExperimentRecord) -> Proposal | NoProposal:
    policy = store.policies.of(experiment.search)
    history: Sequence[JobRecord] = ()
    if policy.history:
        with store.read() as transaction:
            history = recent_jobs(transaction, experiment.address, policy.history)
    return policy.propose(experiment.proposals, experiment.settings.seed or 0, history)


def _limit_reached(experiment: ExperimentRecord) -> NoJobReason:
    """Tell the limit that a running job's end lifts from the one that stays."""
    most = experiment.settings.max_jobs
    return NoJobReason.EXHAUSTED if most is not None and experiment.created >= most else NoJobReason.AT_LIMIT


def _none(store: Store, experiment: ExperimentRecord, proposal: NoProposal, key: str) -> NoJob | None:
    if proposal is NoProposal.COMPLETE:
        with store.write() as transaction:
            end_experiment(transaction, experiment.address, etag=experiment.etag, key=store.known(transaction, key))
        return NoJob(NoJobReason.FINISHED)
    if proposal is NoProposal.WAITING:
        return NoJob(NoJobReason.WAITING)
    with store.read() as transaction:
        found = outlook(transaction, experiment.address)
    if found.ready:
        return NoJob(NoJobReason.AT_LIMIT) if found.full else None
    if found.delayed:
        return NoJob(NoJobReason.DELAYED)
    if found.blocked:
        return NoJob(NoJobReason.BLOCKED)
    return NoJob(NoJobReason.EXHAUSTED if proposal is NoProposal.EXHAUSTED else NoJobReason.EMPTY)
