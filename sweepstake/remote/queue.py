"""`RemoteQueue`: `ports.Queue` over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from attrs import evolve

from sweepstake.codec import to_tree
from sweepstake.domain.addresses import called
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.portable import ExportPage, ImportPart
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.queueing import QueueingChanges
from sweepstake.domain.records import (
    UNGUARDED,
    AttemptRecord,
    Beat,
    Claim,
    Dependency,
    Document,
    ExperimentRecord,
    Finish,
    Finished,
    Guard,
    JobDraft,
    JobRecord,
    NoJob,
    Page,
)
from sweepstake.domain.situation import Why
from sweepstake.errors import InvalidInputError
from sweepstake.ports import MAX_PAGE, Counts, ExperimentDraft, PutAnswer
from sweepstake.remote.session import HttpSession, Reply
from sweepstake.wire.bodies import (
    MAX_BEATS,
    Attempts,
    Beats,
    ClaimRequest,
    Dependencies,
    FinishRequest,
    HeartbeatRequest,
    NewJob,
    NewJobs,
    PutExperiment,
    PutJob,
)
from sweepstake.wire.headers import (
    ATTEMPT,
    IDEMPOTENCY_KEY,
    REASON,
    SUPERSEDED,
    guard_headers,
    reference_headers,
)
from sweepstake.wire.operations import OPERATIONS

__all__ = ["RemoteQueue"]

T = TypeVar("T")

_PATH_WORDS: Final = ("name", "id")
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


class RemoteQueue:
    """The queue of a server. It tries each call once; repeating is for whoever holds it.

    Args:
        url: the server's root.
        token: API token.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._session = HttpSession(url, token)

    def __repr__(self) -> str:
        return f"RemoteQueue({self._session!r})"

    @property
    def identity(self) -> str | None:
        """See `Queue.identity`."""
        return self._session.store

    def put_experiment(self, name: str, draft: ExperimentDraft, *, guard: Guard, key: str) -> ExperimentRecord:
        """See `Queue.put_experiment`."""
        reply = self._call("put_experiment", name, body=PutExperiment.of(draft), guard=guard, key=key)
        return _named(reply.read(ExperimentRecord))

    def get_experiment(self, name: str) -> ExperimentRecord:
        """See `Queue.get_experiment`."""
        return _named(self._call("get_experiment", name).read(ExperimentRecord))

    def list_experiments(self, start: str | None = None, limit: int = MAX_PAGE) -> Page[ExperimentRecord]:
        """See `Queue.list_experiments`."""
        page = self._call("list_experiments", query=_page(start, limit)).read(Page[ExperimentRecord])
        return evolve(page, items=tuple(map(_named, page.items)))

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool = False) -> None:
        """See `Queue.delete_experiment`."""
        query = [("force", "true")] if force else []
        self._call("delete_experiment", name, guard=guard, key=key, query=query)

    def count_jobs(self, name: str) -> Counts:
        """See `Queue.count_jobs`."""
        return self._call("count_jobs", name).read(Counts)

    def add_jobs(
        self, name: str, drafts: Sequence[JobDraft], *, key: str, on_duplicate: OnDuplicate = OnDuplicate.ALLOW
    ) -> Added:
        """See `Queue.add_jobs`."""
        query = [] if on_duplicate is OnDuplicate.ALLOW else [("on_duplicate", on_duplicate.value)]
        reply = self._call("add_jobs", name, body=NewJobs(_new_jobs(drafts)), key=key, query=query)
        return Added() if reply.status == 204 else reply.read(Added)

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None = None
    ) -> PutAnswer:
        """See `Queue.put_job`."""
        headers = {} if attempt is None else {ATTEMPT: attempt}
        reply = self._call("put_job", name, job_id, body=PutJob.of(document), guard=guard, key=key, headers=headers)
        superseded = reply.headers.get(SUPERSEDED) == "true"
        return PutAnswer(record=reply.read(JobRecord), created=reply.status == 201, superseded=superseded)

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """See `Queue.get_job`."""
        return self._call("get_job", name, job_id).read(JobRecord)

    def list_jobs(self, name: str, query: JobQuery, start: str | None = None, limit: int = MAX_PAGE) -> Page[JobRecord]:
        """See `Queue.list_jobs`."""
        reply = self._call("list_jobs", name, query=[*_page(start, limit), *_filters(query)])
        return reply.read(Page[JobRecord])

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """See `Queue.list_attempts`."""
        return self._call("list_attempts", name, job_id).read(Attempts).attempts

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """See `Queue.list_dependencies`."""
        return self._call("list_dependencies", name, job_id).read(Dependencies).dependencies

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """See `Queue.delete_job`."""
        self._call("delete_job", name, job_id, guard=guard, key=key)

    def claim(
        self, name: str, *, worker: str, key: str, repeat: bool = False, ids: Sequence[str] = ()
    ) -> Claim | NoJob:
        """See `Queue.claim`."""
        reply = self._call("claim", name, body=ClaimRequest(worker=worker, repeat=repeat, ids=tuple(ids)), key=key)
        return _no_job(reply) if reply.status == 204 else reply.read(Claim)

    def finish(
        self,
        name: str,
        job_id: str,
        finish: Finish,
        *,
        key: str,
        claim: str | None = None,
        worker: str = "",
        repeat: bool = False,
    ) -> Finished:
        """See `Queue.finish`."""
        body = FinishRequest.of(finish, claim=claim, worker=worker, repeat=repeat)
        return self._call("finish", name, job_id, body=body, key=key).read(Finished)

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """See `Queue.heartbeat`."""
        beats: list[Beat] = []
        for first in range(0, len(attempts), MAX_BEATS):
            body = HeartbeatRequest(tuple(attempts[first : first + MAX_BEATS]))
            beats += self._call("heartbeat", body=body).read(Beats).beats
        return tuple(beats)

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """See `Queue.prune`."""
        return self._call("prune", name, job_id, key=key).read(JobRecord)

    def retry(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """See `Queue.retry`."""
        return self._call("retry", name, job_id, key=key).read(JobRecord)

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
        """See `Queue.set_queueing`."""
        return self._call("set_queueing", name, job_id, body=changes, key=key).read(JobRecord)

    def why(self, name: str, job_id: str) -> Why:
        """See `Queue.why`."""
        return self._call("why", name, job_id).read(Why)

    def offer(self, name: str, *, key: str) -> JobRecord | NoJob:
        """See `Queue.offer`."""
        reply = self._call("offer", name, key=key)
        return _no_job(reply) if reply.status == 204 else reply.read(JobRecord)

    def export_page(self, name: str, start: str | None = None) -> ExportPage:
        """See `Queue.export_page`."""
        return self._call("export", name, query=[] if start is None else [("start", start)]).read(ExportPage)

    def import_part(self, name: str, part: ImportPart) -> None:
        """See `Queue.import_part`."""
        self._call("import_part", name, body=part)

    def ping(self) -> None:
        """See `Queue.ping`."""
        self._call("ready")

    def close(self) -> None:
        """See `Queue.close`."""
        self._session.close()

    def _call(
        self,
        operation: str,
        *names: str,
        body: object = None,
        guard: Guard = UNGUARDED,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """Build the request of an operation and send it."""
        asked = OPERATIONS[operation]
        path = asked.url(*map(asked.check, map(called, names), _PATH_WORDS))
        if query:
            path += "?" + urlencode(query)
        complete = {**guard_headers(guard), **(headers or {})}
        if names:
            complete.update(reference_headers(names[0]))
        if key is not None:
            complete[IDEMPOTENCY_KEY] = key
        text = None if body is None else _encode(to_tree(body))
        return self._session.request(asked.method, path, complete, text, answers=asked.answers)


def _named(record: ExperimentRecord) -> ExperimentRecord:
    """Return an experiment under its own name; the server says what the caller may write to mean it."""
    return evolve(record, name=called(record.address)) if record.address else record


def _new_jobs(drafts: Sequence[JobDraft]) -> tuple[NewJob, ...]:
    jobs: list[NewJob] = []
    for draft in drafts:
        try:
            jobs.append(NewJob.of(draft))
        except InvalidInputError as error:
            raise error.under(f"jobs[{len(jobs)}]") from None
    return tuple(jobs)


def _no_job(reply: Reply) -> NoJob:
    return evolve(reply, tree={"reason": reply.headers.get(REASON)}).read(NoJob)


def _page(start: str | None, limit: int) -> list[tuple[str, str]]:
    return [("limit", str(limit)), *([] if start is None else [("start", start)])]


def _filters(query: JobQuery) -> list[tuple[str, str]]:
    filters = [("status", status.value) for status in sorted(query.status)]
    if query.tag is not None:
        filters.append(("tag", query.tag))
    if query.part is not None:
        filters.append(("part", query.part))
    filters += [("where", f"{each.field}{each.operator}{_json(each.value)}") for each in query.where]
    if query.order is not None:
        filters.append(("order", f"{'-' if query.order.descending else ''}{query.order.field}"))
    return filters


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
