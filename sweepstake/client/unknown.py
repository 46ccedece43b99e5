"""Telling of fields that no job has: a misspelt name looks like a condition that nothing fulfils."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from typing import Final

from sweepstake.domain.addresses import called
from sweepstake.domain.query.fields import KNOWN_FIELDS, Fields
from sweepstake.domain.query.queries import Condition, JobQuery
from sweepstake.domain.records import JobRecord
from sweepstake.queue.queue import Queue

__all__ = ["tell_unknown"]

#: How many jobs are asked what else there is.
_ASKED: Final = 100
#: How many names a message has.
_NAMES: Final = 8
#: A value that no job has, to find those whose value is another: all that have the field.
_NO_VALUE: Final = {"sweepstake": "no job has this value"}

_logger = logging.getLogger(__name__)


def tell_unknown(queue: Queue, name: str, field: str) -> None:
    """Log a warning if no job of the experiment has the field, though there are jobs; it says what they have."""
    if field in KNOWN_FIELDS:
        return
    some = queue.list_jobs(name, JobQuery(), limit=_ASKED).items
    if not some or _anybody_has(queue, name, field):
        return
    names = _names(some)
    near = difflib.get_close_matches(field, names, n=_NAMES) or names[:_NAMES]
    there = f"; there is {', '.join(map(repr, near))}" if near else ""
    _logger.warning("No job of %r has %r%s.", called(name), field, there)


def _anybody_has(queue: Queue, name: str, field: str) -> bool:
    query = JobQuery(where=(Condition(field, "!=", _NO_VALUE),))
    start = None
    while True:
        page = queue.list_jobs(name, query, start, limit=1)
        if page.items or page.next is None:
            return bool(page.items)
        start = page.next


def _names(jobs: Iterable[JobRecord]) -> list[str]:
    found: dict[str, None] = {}
    for job in jobs:
        fields = Fields(job)
        found.update(dict.fromkeys([*fields.results, *fields.hyperparameters]))
    return list(found)
