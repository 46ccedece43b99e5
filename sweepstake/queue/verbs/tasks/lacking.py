"""Why nothing was claimed for what a worker offers."""

from __future__ import annotations

import json

from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import limits_of, outlook
from sweepstake.queue.verbs.tasks.matching import read_needs_of
from sweepstake.queue.verbs.tasks.taking import next_for_offer, waits_for_gang

__all__ = ["none_for_offer"]


def none_for_offer(store: Store, name: str, offer: Offer, slots: Offer | None = None) -> NoJobReason | None:
    """Return why no job was claimed for an offer, by what is there now; see `take_for_offer`.

    Returns:
        None if there is a job by now that the claim would have taken: it has become ready since, or somebody held it,
        who has let it go when this returns. The claim has to look again.
    """
    needs = read_needs_of(store, name)
    with store.read() as transaction:
        limits = limits_of(transaction, name)
        if limits.status != ExperimentStatus.RUNNING:
            return NoJobReason.FINISHED
        found = outlook(transaction, name)
        if transaction.row("ready_kinds", experiment_id=limits.number) is None:
            if found.delayed:
                return NoJobReason.DELAYED
            return NoJobReason.BLOCKED if found.blocked else NoJobReason.EMPTY
        if found.full:
            return NoJobReason.AT_LIMIT
        seq = next_for_offer(transaction, limits.number, needs, offer, slots)
        if seq is None:
            held_up = waits_for_gang(transaction, limits.number, needs, offer)
            return NoJobReason.BLOCKED if held_up else NoJobReason.UNMET
    with store.write() as transaction:
        transaction.rows("lock_jobs", seqs=json.dumps([seq]))
    return None
