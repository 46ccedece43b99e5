"""What becomes of a request: it is read as a call, the queue answers, and the answer is told.

Most verbs need no more than that. The others are listed in `Handlers`, each with what the server adds to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, Final

from attrs import evolve

from sweepstake.codec import to_texts
from sweepstake.domain.files import Piece, Span
from sweepstake.domain.keys import name_of
from sweepstake.domain.records import (
    ABSENT,
    Beat,
    Claim,
    Claims,
    ExperimentRecord,
    Finished,
    Guard,
    GuardKind,
    Page,
    PutAnswer,
    SearchDefinition,
)
from sweepstake.domain.status import JobStatus, Signal
from sweepstake.errors import NotFoundError, UnsafeUpdateError
from sweepstake.http.requests import call_of
from sweepstake.queue import calls
from sweepstake.queue.answers import Told
from sweepstake.queue.call import Call
from sweepstake.queue.calls.several import Reports
from sweepstake.queue.fields import MalformedError
from sweepstake.queue.here import Here
from sweepstake.queue.spelling import spellings
from sweepstake.server.authorizing import Authorizer
from sweepstake.server.calls import Answer, Handler, Received
from sweepstake.server.schedy import as_meant, plain_text
from sweepstake.slices import in_parts
from sweepstake.turns import sliced
from sweepstake.wire.headers import IDEMPOTENCY_KEY, STORE

__all__ = ["Handlers"]

#: Holds for no document.
_NEVER: Final = Guard.match()
#: The most values of a search's parameters.
_MOST_OF_SEARCH: Final = 100_000
#: How many bytes of a file are read while those before leave.
_STEP: Final = 1024 * 1024


class Handlers:
    """Answers every verb.

    Args:
        here: what answers.
        authorizer: whose experiments are whose.
        logins: what does the verbs by which users log in.
    """

    def __init__(
        self, here: Here, authorizer: Authorizer, logins: Mapping[type[Call[Any]], Callable[[Any], Any]]
    ) -> None:
        self._here = here
        self._send = here.send
        self._authorizer = authorizer
        self._logins = logins
        self._special: Mapping[type[Call[Any]], Callable[[Any, Received], Any]] = {
            calls.FinishAttempt: self._finish,
            calls.Heartbeat: self._beat,
            calls.AddJobs: self._add,
            calls.PutJob: self._put_job,
            calls.ListExperiments: self._list,
            calls.PutExperiment: self._put,
            calls.DeleteExperiment: self._delete,
            calls.TakePart: self._take,
        }

    def by_name(self) -> Mapping[str, Handler]:
        """Return what answers each verb, by the name of its operation."""
        return {kind.operation.name: self._handler(kind) for kind in (*calls.CALLS.values(), *self._logins)}

    def _handler(self, kind: type[Call[Any]]) -> Handler:
        special = self._special.get(kind)
        perform = self._logins.get(kind) or self._here.performer(kind)

        def answer(received: Received) -> Answer:
            if kind.parts.raw is not None:
                call = call_of(kind, received.names, received.asked, received.body)
            else:
                with nullcontext() if kind.parts.body is None else received.tree() as tree:
                    call = call_of(kind, received.names, received.asked, tree)
            found = perform(call) if special is None else special(call, received)
            if kind.operation.changes_access:
                self._authorizer.changed()
            begun = found.next if isinstance(found, Finished | Reports) else found
            for claim in begun.claims if isinstance(begun, Claims) else (begun,):
                if isinstance(claim, Claim):
                    self._authorizer.began(claim)
            made = kind.answers.tell(call, found)
            if made.piece is not None:
                return _in_pieces(call, made, self._send)
            if made.record is None:
                return Answer(made.status, (), made.headers)
            # Values of users' in a record cost no more than their length.
            text = in_parts(to_texts(received.shown(made.record)))
            return Answer(made.status, plain_text(text) if received.schedys else text, made.headers)

        return answer

    def _finish(self, call: calls.FinishAttempt, received: Received) -> Finished:
        """Find the attempt where it was begun, whatever has come to be called so since."""
        try:
            return self._send(call)
        except NotFoundError:
            # A client that knows no addresses may have begun the job before its user made an experiment of this name.
            attempt = call.report.attempt
            held = self._authorizer.held(received.asked.caller, [attempt]).get(attempt)
            if held is None or held == call.name:
                raise
            return self._send(evolve(call, name=held))

    def _beat(self, call: calls.Heartbeat, received: Received) -> tuple[Beat, ...]:
        """Renew only the leases of those who may work there; of the others it says no more than that they are lost."""
        held = self._authorizer.held(received.asked.caller, call.attempts)
        beats = {beat.attempt: beat for beat in self._send(evolve(call, attempts=tuple(held)))}
        return tuple(beats.get(attempt) or Beat(attempt, Signal.LOST) for attempt in call.attempts)

    def _add(self, call: calls.AddJobs, received: Received) -> Any:
        """Give ids to the jobs that have none."""
        jobs = tuple(job if job.id else evolve(job, id=received.asked.new_key()) for job in sliced(call.jobs))
        return self._send(evolve(call, jobs=jobs))

    def _put_job(self, call: calls.PutJob, received: Received) -> PutAnswer:
        """Answer with the key a client of before there were names of keys, if the put has begun an attempt.

        Such a client reports under the etag that it is answered with, which it takes for its key, and refuses a name.
        It made that key itself, and a guard takes it for the name. Clients of now say which store they mean.
        """
        put = self._send(call)
        key = received.asked.headers.get(IDEMPOTENCY_KEY.lower())
        if key is None or STORE.lower() in received.asked.headers or put.record.status is not JobStatus.RUNNING:
            return put
        return evolve(put, record=evolve(put.record, etag=key)) if put.record.etag == name_of(key) else put

    def _list(self, call: calls.ListExperiments, _received: Received) -> Page[ExperimentRecord]:
        """List experiments as the caller may write them."""
        page = self._send(call)
        names = spellings(self._here.store, page.items, call.viewer)
        return evolve(page, items=tuple(evolve(each, name=name) for each, name in zip(page.items, names, strict=True)))

    def _put(self, call: calls.PutExperiment, received: Received) -> ExperimentRecord:
        """Write a definition where the caller may; a client of Schedy means the search that it was not shown."""
        call = evolve(call, draft=evolve(call.draft, owner=received.asked.caller.email))
        _check_search(call.draft.search, "scheduler")

        def put(where: str, exact: Guard) -> ExperimentRecord:
            known = received.schedys and exact.kind is not GuardKind.ABSENT
            draft = as_meant(call.draft, self._here, where) if known else call.draft
            return self._send(evolve(call, name=where, draft=draft, guard=exact))

        absent = ABSENT if call.guard.kind in (GuardKind.NONE, GuardKind.ABSENT) else _NEVER
        return self._authorizer.fence(received.asked.caller, call.name, call.guard, absent, put)

    def _delete(self, call: calls.DeleteExperiment, received: Received) -> None:
        """Delete what the caller may."""

        def delete(where: str, exact: Guard) -> None:
            try:
                self._send(evolve(call, name=where, guard=exact))
            except UnsafeUpdateError:
                if exact != _NEVER or call.guard.kind is not GuardKind.NONE:
                    raise  # else: unguarded, deleting what is not there does nothing

        self._authorizer.fence(received.asked.caller, call.name, call.guard, _NEVER, delete)

    def _take(self, call: calls.TakePart, _received: Received) -> None:
        """Refuse a search that is too large."""
        if call.part.experiment is not None:
            _check_search(call.part.experiment.search, "experiment.search")
        self._send(call)


def _in_pieces(call: Any, made: Told, send: Callable[[Any], Piece]) -> Answer:
    """Answer with all bytes that were asked for; those behind the first piece are read as the ones before leave.

    They are of the attempt and the content that were found first, whatever begins or becomes of the file meanwhile.
    """
    assert made.piece is not None, "a piece is what it answers with"
    first = made.piece
    begin, end = call.within.within(first.total)

    def follow() -> Iterator[bytes]:
        at = begin + len(first.content)
        while at < end:
            wanted = evolve(call, number=first.attempt, within=Span(at, min(end, at + _STEP) - 1))
            if isinstance(wanted, calls.GetContent):
                wanted = evolve(wanted, path=None, sha256=first.sha256)
            piece = send(wanted)
            yield piece.content
            at += len(piece.content)

    length = {"Content-Length": str(end - begin)}
    more = follow() if begin + len(first.content) < end else None
    return Answer(made.status, (first.content,), {**made.headers, **length}, more)


def _check_search(search: SearchDefinition, path: str) -> None:
    """Refuse a search of more values than anybody tries: each takes fifty times its text once it is read."""
    if search.params.count(",") > _MOST_OF_SEARCH:
        raise MalformedError.at(path, f"holds more than {_MOST_OF_SEARCH:,} values")
