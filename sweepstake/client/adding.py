"""Creating jobs: from one mapping, or from a stream of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Final

from sweepstake.client.session import Session
from sweepstake.domain.names import check_name, check_notes, check_tags
from sweepstake.domain.records import Document, JobDraft
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.values import JsonObject

__all__ = ["add_in_chunks", "draft_of"]

#: Jobs sent in one call.
_CHUNK: Final = 2000
#: From this many jobs on, a progress bar is shown to somebody who watches.
_MANY: Final = 10_000
_INT4: Final = 2**31


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
    try:
        state = JobStatus(status)
    except ValueError:
        raise InvalidInputError.at("status", f"must be one of {', '.join(JobStatus)}, is {status!r}") from None
    return JobDraft(
        id=check_name(job_id, "job_id"),
        document=Document(
            status=state,
            hyperparameters=JsonObject.of(hyperparameters, path),
            results=JsonObject.of(results or {}, "results"),
        ),
        priority=check_priority(priority),
        not_before=_check_time(not_before),
        tags=check_tags(tags),
        notes=check_notes(notes),
    )


def check_priority(priority: object) -> int:
    """Return `priority` if a store can keep it: an int of 32 bits."""
    if isinstance(priority, bool) or not isinstance(priority, int) or not -_INT4 <= priority < _INT4:
        raise InvalidInputError.at("priority", f"must be a whole number from -2**31 to 2**31 - 1, is {priority!r}")
    return priority


def _check_time(not_before: object) -> float | None:
    if not_before is None:
        return None
    if isinstance(not_before, bool) or not isinstance(not_before, (int, float)) or not math.isfinite(not_before):
        raise InvalidInputError.at("not_before", f"must be a Unix time in seconds, is {not_before!r}")
    return float(not_before)


def add_in_chunks(
    session: Session,
    name: str,
    many: Iterable[Mapping[str, Any]],
    common: Mapping[str, Any],
    *,
    progress: bool | None,
) -> list[str]:
    """Create a job per mapping, some thousands a call; return the ids."""
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
