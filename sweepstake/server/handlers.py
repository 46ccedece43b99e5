"""What each operation does: read the call, ask the queue, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import evolve

from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.keys import name_of, uuid7
from sweepstake.domain.names import check_name, check_text
from sweepstake.domain.portable import ImportPart
from sweepstake.domain.query.queries import Condition, JobQuery, Order, Parts
from sweepstake.domain.queueing import QueueingChanges
from sweepstake.domain.records import (
    ABSENT,
    Beat,
    Claim,
    ExperimentRecord,
    Finished,
    Guard,
    GuardKind,
    JobRecord,
    NoJob,
    Page,
    SearchDefinition,
)
from sweepstake.domain.status import JobStatus, Signal, member_of
from sweepstake.errors import InvalidInputError, NotFoundError, UnsafeUpdateError
from sweepstake.ports import MAX_PAGE, Clock, HostedQueue
from sweepstake.server.calls import Answer, Call, MalformedError, as_called, document, empty, told
from sweepstake.server.gates import Gate
from sweepstake.server.schedy import as_meant, as_shown
from sweepstake.turns import sliced
from sweepstake.wire.bodies import (
    Attempts,
    Beats,
    ClaimRequest,
    Dependencies,
    FinishRequest,
    Health,
    HeartbeatRequest,
    NewJob,
    NewJobs,
    PutExperiment,
    PutJob,
)
from sweepstake.wire.headers import REASON, STORE, SUPERSEDED
from sweepstake.wire.parameters import MAX_CONDITIONS

__all__ = ["Handlers"]


class Handlers:
    """The methods are named after the operations in `sweepstake.wire.operations`.

    Args:
        queue: what answers.
        gate: whose experiments are whose.
        clock: for the time in op keys and ids.
        entropy: returns that many random bytes.
    """

    def __init__(self, queue: HostedQueue, gate: Gate, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._queue = queue
        self._gate = gate
        self._clock = clock
        self._entropy = entropy

    # workers

    def claim(self, call: Call) -> Answer:
        """Take the next job."""
        asked = call.read(ClaimRequest)
        [name] = call.names
        claim = self._queue.claim(name, worker=asked.worker, key=self._key(call), repeat=asked.repeat, ids=asked.ids)
        if isinstance(claim, NoJob):
            return _none(claim)
        self._gate.began(claim, name)
        return told(evolve(claim, job=as_called(call, claim.job)))

    def finish(self, call: Call) -> Answer:
        """End an attempt."""
        asked = call.read(FinishRequest)
        name, job_id = call.names
        key = self._key(call)

        def finish(where: str) -> Finished:
            return self._queue.finish(
                where,
                job_id,
                asked.finish(),
                key=key,
                claim=asked.claim,
                worker=asked.worker,
                repeat=asked.repeat,
            )

        try:
            finished = finish(name)
        except NotFoundError:
            # A client that knows no addresses may have begun the job before its user made an experiment of this name.
            held = self._gate.holding(call.caller, asked.attempt)
            if held is None or held == name:
                raise
            name, finished = held, finish(held)
        if isinstance(finished.next, Claim):
            self._gate.began(finished.next, name)
        return told(_finished_as_called(call, finished))

    def heartbeat(self, call: Call) -> Answer:
        """Renew leases."""
        attempts = call.read(HeartbeatRequest).attempts
        beats = {beat.attempt: beat for beat in self._queue.heartbeat(self._gate.held(call.caller, attempts))}
        return told(Beats(tuple(beats.get(attempt) or Beat(attempt, Signal.LOST) for attempt in attempts)))

    def offer(self, call: Call) -> Answer:
        """Show a ready job."""
        [name] = call.names
        offered = self._queue.offer(name, key=self._key(call))
        return _none(offered) if isinstance(offered, NoJob) else document(call, offered)

    # jobs

    def list_jobs(self, call: Call) -> Answer:
        """List jobs."""
        [name] = call.names
        page = self._queue.list_jobs(name, _query(call), call.one("start"), _limit(call))
        return told(evolve(page, items=tuple(as_called(call, job) for job in sliced(page.items))))

    def add_job(self, call: Call) -> Answer:
        """Add one job."""
        [name] = call.names
        key = self._key(call)
        draft = call.read(NewJob).draft(lambda: key)
        on_duplicate = _on_duplicate(call)
        with _naming_fields_of_one():
            added = self._queue.add_jobs(name, [draft], key=key, on_duplicate=on_duplicate)
        if added.duplicates:
            return document(call, self._queue.get_job(name, added.duplicates[0].id))
        return document(call, self._queue.get_job(name, draft.id), 201)

    def add_jobs(self, call: Call) -> Answer:
        """Add many jobs."""
        [name] = call.names
        drafts = [job.draft(self._new_key) for job in sliced(call.read(NewJobs).jobs)]
        added = self._queue.add_jobs(name, drafts, key=self._key(call), on_duplicate=_on_duplicate(call))
        return told(added) if added.duplicates else empty()

    def get_job(self, call: Call) -> Answer:
        """Read a job."""
        return document(call, self._queue.get_job(*call.names))

    def put_job(self, call: Call) -> Answer:
        """Replace a job's document, or create the job."""
        asked = call.read(PutJob)
        name, job_id = call.names
        answer = self._queue.put_job(
            name, job_id, asked.document(), guard=call.guard(), key=self._key(call), attempt=call.attempt()
        )
        record = _known_by_key(call, answer.record)
        found = document(call, record, 201 if answer.created else 200)
        if answer.superseded:
            found.headers[SUPERSEDED] = "true"
        return found

    def delete_job(self, call: Call) -> Answer:
        """Delete a job."""
        name, job_id = call.names
        self._queue.delete_job(name, job_id, guard=call.guard(), key=self._key(call))
        return empty()

    def list_attempts(self, call: Call) -> Answer:
        """List a job's attempts."""
        return told(Attempts(self._queue.list_attempts(*call.names)))

    def list_dependencies(self, call: Call) -> Answer:
        """List what a job waits for."""
        return told(Dependencies(self._queue.list_dependencies(*call.names)))

    def prune(self, call: Call) -> Answer:
        """Prune a job."""
        name, job_id = call.names
        return document(call, self._queue.prune(name, job_id, key=self._key(call)))

    def retry(self, call: Call) -> Answer:
        """Queue a job again."""
        name, job_id = call.names
        return document(call, self._queue.retry(name, job_id, key=self._key(call)))

    def set_queueing(self, call: Call) -> Answer:
        """Change a job's queueing."""
        name, job_id = call.names
        return document(call, self._queue.set_queueing(name, job_id, call.read(QueueingChanges), key=self._key(call)))

    def why(self, call: Call) -> Answer:
        """Say why a job is not running."""
        return told(self._queue.why(*call.names, viewer=call.caller.email))

    # experiments

    def list_experiments(self, call: Call) -> Answer:
        """List experiments."""
        page = self._queue.list_experiments(call.one("start"), _limit(call), viewer=call.caller.email)
        names = self._queue.spellings(page.items, call.caller.email)
        items = tuple(evolve(record, name=name) for record, name in zip(page.items, names, strict=True))
        return told(Page(tuple(map(as_shown, items)) if call.schedys else items, page.next))

    def get_experiment(self, call: Call) -> Answer:
        """Read an experiment."""
        record = self._queue.get_experiment(*call.names)
        return document(call, as_shown(record) if call.schedys else record)

    def put_experiment(self, call: Call) -> Answer:
        """Create or replace a definition."""
        [name] = call.names
        draft = evolve(call.read(PutExperiment).draft(), owner=call.caller.email)
        _check_search(draft.search, "scheduler")
        key = self._key(call)
        guard = call.guard()

        def put(where: str, exact: Guard) -> ExperimentRecord:
            known = call.schedys and exact.kind is not GuardKind.ABSENT
            meant = as_meant(draft, self._queue, where) if known else draft
            return self._queue.put_experiment(where, meant, guard=exact, key=key)

        absent = ABSENT if guard.kind in (GuardKind.NONE, GuardKind.ABSENT) else _NEVER
        record = self._gate.fence(call.caller, name, guard, absent, put)
        return document(
            call, as_shown(record) if call.schedys else record, 201 if guard.kind is GuardKind.ABSENT else 200
        )

    def delete_experiment(self, call: Call) -> Answer:
        """Delete an experiment."""
        [name] = call.names
        force = _FORCE.get(call.one("force") or "false")
        if force is None:
            raise MalformedError.at("force", "must be true or false")
        key = self._key(call)
        guard = call.guard()

        def delete(where: str, exact: Guard) -> None:
            try:
                self._queue.delete_experiment(where, guard=exact, key=key, force=force)
            except UnsafeUpdateError:
                if exact != _NEVER or guard.kind is not GuardKind.NONE:
                    raise  # else: unguarded, deleting what is not there does nothing

        self._gate.fence(call.caller, name, guard, _NEVER, delete)
        return empty()

    def count_jobs(self, call: Call) -> Answer:
        """Count jobs by state."""
        return told(self._queue.count_jobs(*call.names))

    def export(self, call: Call) -> Answer:
        """Export a page of an experiment."""
        [name] = call.names
        return told(self._queue.export_page(name, call.one("start")))

    def import_part(self, call: Call) -> Answer:
        """Take a part of an import."""
        [name] = call.names
        part = call.read(ImportPart)
        if part.experiment is not None:
            _check_search(part.experiment.search, "experiment.search")
        self._queue.import_part(name, part, owner=call.caller.email)
        self._gate.changed()
        return empty()

    # operators

    def health(self, call: Call) -> Answer:  # noqa: ARG002 -- a handler like the others
        """Say that the server runs."""
        return told(Health("ok"))

    def ready(self, call: Call) -> Answer:  # noqa: ARG002 -- as above
        """Say that the store answers."""
        self._queue.ping()
        return told(Health("ok"))

    def _key(self, call: Call) -> str:
        return call.key() or self._new_key()

    def _new_key(self) -> str:
        return uuid7(int(self._clock.wall() * 1000), self._entropy(10))


@contextmanager
def _naming_fields_of_one() -> Iterator[None]:
    """Name fields as they stand in the body of one job, and not in a list of jobs."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError((path.removeprefix("jobs[0]."), what) for path, what in error.problems) from None


def _finished_as_called(call: Call, finished: Finished) -> Finished:
    following = finished.next
    if isinstance(following, Claim):
        following = evolve(following, job=as_called(call, following.job))
    return evolve(finished, job=as_called(call, finished.job), next=following)


def _known_by_key(call: Call, record: JobRecord) -> JobRecord:
    """Return a job whose attempt the caller has begun by this put, for a client of before there were names of keys.

    Such a client reports under the etag that it is answered with, which it takes for its key, and refuses a name. It
    made that key itself, and a guard takes it for the name. Clients of now say which store they mean.
    """
    key = call.key()
    if key is None or STORE.lower() in call.headers or record.status is not JobStatus.RUNNING:
        return record
    return evolve(record, etag=key) if record.etag == name_of(key) else record


def _none(nothing: NoJob) -> Answer:
    return empty({REASON: nothing.reason})


#: Holds for no document.
_NEVER: Final = Guard.match()
#: The most values of a search's parameters.
_MOST_OF_SEARCH: Final = 100_000
_FORCE: Final = {"true": True, "false": False}


def _check_search(search: SearchDefinition, path: str) -> None:
    """Refuse a search of more values than anybody tries: each takes fifty times its text once it is read."""
    if search.params.count(",") > _MOST_OF_SEARCH:
        raise MalformedError.at(path, f"holds more than {_MOST_OF_SEARCH:,} values")


def _limit(call: Call) -> int:
    text = call.one("limit")
    if text is None:
        return MAX_PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
        raise MalformedError.at("limit", f"must be a whole number from 1 to {MAX_PAGE:,}")
    return int(text)


def _on_duplicate(call: Call) -> OnDuplicate:
    try:
        return member_of(OnDuplicate, call.one("on_duplicate") or OnDuplicate.ALLOW, "on_duplicate")
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None


def _query(call: Call) -> JobQuery:
    """Return what a listing asks for: what has not the form of its schema is malformed, what means nothing is wrong."""
    tag, part = call.one("tag"), call.one("part")
    order = call.one("order")
    where = call.query.get("where", ())
    if len(where) > MAX_CONDITIONS:
        raise MalformedError.at("where", f"stands there {len(where):,} times, at most {MAX_CONDITIONS} are allowed")
    try:
        status = _statuses(call.query.get("status", ()))
        tag = check_name(tag, "tag") if tag else tag
        part = None if part is None else check_name(part, "part")
        for text in where:
            Parts.of(text)
        if order is not None and check_text(order, "order") in ("", "-"):
            Order.parse(order)
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None
    return JobQuery(
        status=status,
        tag=tag,
        part=part,
        where=tuple(map(Condition.parse, where)),
        order=None if order is None else Order.parse(order),
    )


def _statuses(words: Sequence[str]) -> frozenset[JobStatus]:
    try:
        return frozenset(map(JobStatus, words))
    except ValueError:
        known = ", ".join(JobStatus)
        raise InvalidInputError.at("status", f"must be one of {known}") from None
