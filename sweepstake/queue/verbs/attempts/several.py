"""Several jobs in a call: each claim and each report as exactly once as if it came alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve

from sweepstake.domain.keys import item_key, name_of
from sweepstake.domain.records import Claim, Claims, Finished, NoJob
from sweepstake.domain.status import NoJobReason
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.waiting import Waiting
from sweepstake.errors import ClientRequestError, LeaseLostError
from sweepstake.queue.calls import ClaimJobs, FinishAttempt, FinishAttempts
from sweepstake.queue.calls.several import AttemptReport, Reported, Reports
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.attempts.claiming import MOST_LOOKS, claim_anew, claim_proposed, find_claim
from sweepstake.queue.verbs.attempts.finishing import finish as finish_alone
from sweepstake.queue.verbs.attempts.finishing import plain_params
from sweepstake.queue.verbs.attempts.settling import settle, settle_at_times
from sweepstake.queue.verbs.guards import key_reused
from sweepstake.queue.verbs.tasks.lacking import none_for_offer
from sweepstake.queue.verbs.tasks.named import take_named
from sweepstake.queue.verbs.tasks.taking import Taken, take_for_offer
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Row
from sweepstake.wire.problems import problem_of

__all__: list[str] = []

#: The priority of what a search proposes.
_PROPOSED: Final = 0


@performs(ClaimJobs)
def claim(store: Store, call: ClaimJobs) -> Claims:
    """Take several jobs."""
    name = store.at(call.name)
    keys = [item_key(call.key, place) for place in range(call.at_once)]
    if call.repeat and (found := _find(store, name, keys)):
        return Claims(claims=tuple(found))
    settle_at_times(store, name)
    return _claim(store, name, call, keys)


@performs(FinishAttempts)
def finish(store: Store, call: FinishAttempts) -> Reports:
    """End several attempts, and claim the next jobs if asked to."""
    name = store.at(call.name)
    keys = [] if call.claim is None else [item_key(call.claim, place) for place in range(call.at_once)]
    told = [_plain(name, each) for each in call.reports]
    plain = [params for params in told if params is not None]
    together = keys if _is_plain(call) and not call.repeat and len(plain) == len(told) else []
    try:
        ended, taken = store.engine.finish_several(plain, claims=_wanted(name, call.worker, together))
    except DuplicateError:  # the claims were made before
        ended, taken = store.engine.finish_several(plain, claims=[])
    rest = iter(ended)
    reports = tuple(
        _reported(store, call.name, name, each, None if params is None else next(rest))
        for each, params in zip(call.reports, told, strict=True)
    )
    if taken:
        settle_at_times(store, name)
        return Reports(reports=reports, next=_claims(name, keys, taken))
    return Reports(reports=reports, next=_next(store, name, call, keys) if keys else None)


def _is_plain(call: ClaimJobs | FinishAttempts) -> bool:
    """Tell whether any ready job without a task is wanted."""
    return call.offer is None and call.slots is None and not call.ids


def _next(store: Store, name: str, call: FinishAttempts, keys: Sequence[str]) -> Claims | None:
    """Claim what comes after reports; None if that was done before, and all of it is over: the reports stand."""
    try:
        if call.repeat and (found := _find(store, name, keys)):
            return Claims(claims=tuple(found))
        settle_at_times(store, name)
        return _claim(store, name, call, keys)
    except LeaseLostError:
        return None


def _claim(store: Store, name: str, call: ClaimJobs | FinishAttempts, keys: Sequence[str]) -> Claims:
    """Claim ready jobs, and what the search proposes; that it is a repeat means that no earlier call has."""
    for _ in range(MOST_LOOKS):
        found = _look(store, name, call, keys)
        if found is not None:
            return found
    return Claims(reason=NoJobReason.EMPTY)


def _look(store: Store, name: str, call: ClaimJobs | FinishAttempts, keys: Sequence[str]) -> Claims | None:
    """Claim what there is, or say why there is nothing; None if a job that fits became ready meanwhile."""
    try:
        taken = _take(store, name, call, keys)
        if not taken.rows and settle(store, name):
            taken = _take(store, name, call, keys)
    except DuplicateError as error:
        # The first call with this key was still under way when we looked, or was delivered twice.
        if not (found := _find(store, name, keys)):
            raise key_reused() from error
        return Claims(claims=tuple(found))
    if taken.rows:
        return evolve(_claims(name, keys, taken.rows), waiting=taken.waiting)
    # The same call, delivered twice, may have taken the last ones.
    if not call.repeat and (found := _find(store, name, keys)):
        return Claims(claims=tuple(found))
    if call.ids:
        return Claims(reason=NoJobReason.UNMET if taken.misfits else NoJobReason.NOT_READY)
    if _is_plain(call):
        return _propose(store, name, call.worker, keys)
    return _propose_for_offer(store, name, call, keys, taken.waiting)


def _propose_for_offer(
    store: Store, name: str, call: ClaimJobs | FinishAttempts, keys: Sequence[str], waiting: Waiting | None
) -> Claims | None:
    """Claim what the search proposes for an offer, or say why there is nothing; see `_look`."""
    offer = call.offer or Offer()
    if not keys:
        reason = none_for_offer(store, name, offer, call.slots) or NoJobReason.UNMET
        return Claims(reason=reason, waiting=waiting)
    claims: list[Claim] = []
    if call.offer is None or (waiting is not None and waiting.priority > _PROPOSED):
        none = none_for_offer(store, name, offer, call.slots)
    else:
        claims, none = claim_proposed(store, name, call.worker, keys, offer)
    if not claims and none is None:
        return None
    return Claims(claims=tuple(claims), reason=None if claims else none, waiting=waiting)


def _take(store: Store, name: str, call: ClaimJobs | FinishAttempts, keys: Sequence[str]) -> Taken:
    """Take ready jobs in one transaction: with an offer, each that fits what is left of it."""
    if call.ids:
        return take_named(store, name, call.worker, keys, call.ids, call.offer)
    if _is_plain(call):
        return Taken(rows=store.engine.finish_several([], claims=_wanted(name, call.worker, keys))[1])
    return take_for_offer(store, name, call.worker, keys, call.offer or Offer(), call.slots)


def _propose(store: Store, name: str, worker: str, keys: Sequence[str]) -> Claims:
    """Claim what the search proposes, until it proposes no more."""
    found: list[Claim] = []
    for key in keys:
        answer = claim_anew(store, name, worker, key)
        if isinstance(answer, NoJob):
            return Claims(claims=tuple(found), reason=None if found else answer.reason)
        found.append(answer)
    return Claims(claims=tuple(found))


def _find(store: Store, name: str, keys: Sequence[str]) -> list[Claim]:
    """Return what a call with these keys has claimed before, and still holds.

    Raises:
        LeaseLostError: it has claimed something, and all of it is over.
    """
    found: list[Claim] = []
    lost: LeaseLostError | None = None
    for key in keys:
        try:
            claim = find_claim(store, name, key)
        except LeaseLostError as error:
            lost = error
            continue
        if claim is None:  # they are used in their order
            break
        found.append(claim)
    if lost is not None and not found:
        raise lost
    return found


def _wanted(name: str, worker: str, keys: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name, "worker": worker, "key": name_of(key)} for key in keys]


def _claims(name: str, keys: Sequence[str], taken: Sequence[Row]) -> Claims:
    return Claims(claims=tuple(rows.claimed(name, key, row) for key, row in zip(keys, taken, strict=False)))


def _plain(name: str, report: AttemptReport) -> dict[str, Any] | None:
    """Return what the plain case of a report is done with; None if it is another."""
    return None if report.key == report.report.attempt else plain_params(name, report.id, report.report, report.key)


def _reported(store: Store, reference: str, name: str, each: AttemptReport, row: Row | None) -> Reported:
    """Return what became of a report, of which the plain case was done if there is a row."""
    if row is not None:
        finished = Finished(job=rows.job(name, row), recorded=True, ended=each.report.outcome)
        return Reported(id=each.id, finished=finished)
    try:
        alone = FinishAttempt(name=reference, id=each.id, key=each.key, report=each.report)
        finished = finish_alone(store, alone)
    except ClientRequestError as error:
        return Reported(id=each.id, problem=problem_of(error))
    return Reported(id=each.id, finished=finished)
