"""Jobs that a search proposes when nothing is ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sweepstake.domain.addresses import called
from sweepstake.domain.keys import proposal_id
from sweepstake.domain.records import Document, ExperimentRecord, JobDraft, NoJob, SearchDefinition
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason
from sweepstake.errors import LimitReachedError, StoreUnavailableError
from sweepstake.ports import Store
from sweepstake.search import NoProposal, Proposal, SearchPolicy, policy_for

__all__ = ["Policies", "propose"]

T = TypeVar("T")

#: How often a proposal may find that another was stored first; each time somebody else got one.
_MOST_TRIES: Final = 1000
#: How many policies a service remembers.
_MOST_POLICIES: Final = 64


class Policies:
    """The policies a service has made lately: a grid of thousands of values takes milliseconds to read."""

    def __init__(self) -> None:
        self._made: dict[SearchDefinition, SearchPolicy] = {}

    def of(self, definition: SearchDefinition) -> SearchPolicy:
        """Return the policy of a stored search."""
        policy = self._made.get(definition)
        if policy is None:
            policy = policy_for(definition)
            if len(self._made) >= _MOST_POLICIES:
                self._made.clear()
            self._made[definition] = policy
        return policy


def propose(
    store: Store, policies: Policies, name: str, key: str, keep: Callable[[JobDraft, int], T | None]
) -> T | NoJob | None:
    """Let the experiment's search propose a job and store it.

    The search reads and thinks outside any lock. `keep(draft, proposals)` stores the draft only if `proposals`
    is still the number made; otherwise the search thinks again about what is there now.

    Args:
        key: op key of the call; the id of the new job is made of it, so a repeat can find it.
        keep: stores the draft; None when another proposal came first.

    Returns:
        What was kept, or why there is nothing; None if a job has become ready meanwhile.
    """
    for _ in range(_MOST_TRIES):
        experiment = store.get_experiment(name)
        if experiment.status is ExperimentStatus.DONE:
            return NoJob(NoJobReason.FINISHED)
        proposal = _think(store, policies, experiment)
        if isinstance(proposal, NoProposal):
            return _none(store, experiment, proposal, key)
        document = Document(status=JobStatus.QUEUED, hyperparameters=proposal.hyperparameters, results=proposal.results)
        try:
            kept = keep(JobDraft(id=proposal_id(key), document=document, origin=proposal.origin), experiment.proposals)
        except LimitReachedError:
            return NoJob(_limit_reached(experiment))
        if kept is not None:
            return kept
    raise StoreUnavailableError(f"too many workers ask {called(name)!r} for proposals at once; try again")


def _think(store: Store, policies: Policies, experiment: ExperimentRecord) -> Proposal | NoProposal:
    policy = policies.of(experiment.search)
    history = store.recent_jobs(experiment.address, policy.history) if policy.history else ()
    return policy.propose(experiment.proposals, experiment.settings.seed or 0, history)


def _limit_reached(experiment: ExperimentRecord) -> NoJobReason:
    """Tell the limit that a running job's end lifts from the one that stays."""
    most = experiment.settings.max_jobs
    return NoJobReason.EXHAUSTED if most is not None and experiment.created >= most else NoJobReason.AT_LIMIT


def _none(store: Store, experiment: ExperimentRecord, proposal: NoProposal, key: str) -> NoJob | None:
    if proposal is NoProposal.COMPLETE:
        store.end_experiment(experiment.address, etag=experiment.etag, key=key)
        return NoJob(NoJobReason.FINISHED)
    if proposal is NoProposal.WAITING:
        return NoJob(NoJobReason.WAITING)
    outlook = store.outlook(experiment.address)
    if outlook.ready:
        return NoJob(NoJobReason.AT_LIMIT) if outlook.full else None
    if outlook.delayed:
        return NoJob(NoJobReason.DELAYED)
    if outlook.blocked:
        return NoJob(NoJobReason.BLOCKED)
    return NoJob(NoJobReason.EXHAUSTED if proposal is NoProposal.EXHAUSTED else NoJobReason.EMPTY)
