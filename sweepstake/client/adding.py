"""Creating jobs: from one mapping, or from a stream of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Final

from sweepstake.client.session import Session
from sweepstake.domain.names import check_name, check_notes, check_tags
from sweepstake.domain.queueing import check_instant, check_priority
from sweepstake.domain.records import Document, JobDraft
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError
from sweepstake.values import EMPTY, JsonObject

__all__ = ["add_in_chunks", "draft_of"]

#: Jobs sent in one call.
_CHUNK: Final = 2000
#: From this many jobs on, a progress bar is shown to somebody who watches.
_MANY: Final = 10_000


def draft_of(
    job_id: str,
    hyperparameters: Mapping[str, Any],
    *,
    status: JobStatus | str = JobStatus.QUEUED,
    results: Mapping[str, Any] | None = None,
    priority: int = 0,
    not_before: float | None = None,
    tags: Iterable[str] = (),
    notes: str = "",
    path: str = "hyperparameters",
) -> JobDraft:
    """Check everything about a new job and return it as a draft."""
    return JobDraft(
        id=check_name(job_id, "job_id"),
        document=Document(
            status=member_of(JobStatus, status, "status"),
            hyperparameters=JsonObject.of(hyperparameters, path),
            results=EMPTY if results is None else JsonObject.of(results, "results"),
        ),
        priority=check_priority(priority),
        not_before=check_instant(not_before, "not_before"),
        tags=check_tags(tags),
        notes=check_notes(notes),
    )


def add_in_chunks(
    session: Session,
    name: str,
    many: Iterable[Mapping[str, Any]],
    common: Mapping[str, Any],
    *,
    progress: bool | None,
) -> list[str]:
    """Create a job per mapping, some thousands a call; return the ids."""
    if isinstance(many, (str, bytes, Mapping)) or not isinstance(many, Iterable):
        raise InvalidInputError.at("hyperparameters", f"must be a list of dicts, not {type(many).__name__}")
    total = len(many) if isinstance(many, Sized) else None
    ids: list[str] = []
    template = draft_of("template", {}, **common)
    with _progress(session, total, progress) as advance:
        for chunk in _chunks(many):
            drafts = [
                JobDraft(
                    id=session.queue.new_id(),
                    document=Document(hyperparameters=JsonObject.of(item, f"[{len(ids) + i}]")),
                    priority=template.priority,
                    not_before=template.not_before,
                    tags=template.tags,
                    notes=template.notes,
                )
                for i, item in enumerate(chunk)
            ]
            session.queue.add_jobs(name, drafts)
            ids.extend(draft.id for draft in drafts)
            advance(len(drafts))
    return ids


def _chunks(many: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    iterator = iter(many)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _progress(
    session: Session, total: int | None, progress: bool | None
) -> AbstractContextManager[Callable[[int], None]]:
    if progress is None:
        progress = sys.stderr.isatty() and (total is None or total >= _MANY)
    return session.display.progress("Adding jobs", total) if progress else nullcontext(_ignore)


def _ignore(_done: int) -> None:
    """Show nothing."""
