"""What people name on the command line: by an id, or by a part of it that only one has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from sweepstake.client import Experiment, Job
from sweepstake.client.listing import iterate
from sweepstake.domain.query.queries import JobQuery
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.view.ids import LEAST

__all__ = ["find_id", "find_job", "find_jobs"]

#: How many are named of those that a part could mean.
_MOST: Final = 10


def find_job(experiment: Experiment, text: str) -> Job:
    """Return the job with this id, else the only one whose id begins or ends with the text.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several; it lists them.
    """
    try:
        return experiment.get_job(text)
    except NotFoundError:
        if len(text) < LEAST:
            raise
        records = iterate(experiment.session.queue, experiment.reference, JobQuery(part=text))
        found = list(islice(records, _MOST + 1))
        if not found:
            raise
    if len(found) == 1:
        return experiment.get_job(found[0].id)
    raise _ambiguous("job", text, [record.id for record in found])


def find_id(what: str, text: str, ids: Iterable[str]) -> str:
    """Return the id that is meant: this very one, else the only one that begins or ends with the text.

    A text that means none is returned as it is, for whoever looks the id up to say so.

    Raises:
        InvalidInputError: there are several; it lists them.
    """
    known = list(ids)
    if text in known or len(text) < LEAST:
        return text
    found = [each for each in known if each.startswith(text) or each.endswith(text)]
    if len(found) > 1:
        raise _ambiguous(what, text, found)
    return found[0] if found else text


def _ambiguous(what: str, text: str, ids: Sequence[str]) -> InvalidInputError:
    more = " and more" if len(ids) > _MOST else ""
    listed = ", ".join(ids[:_MOST])
    return InvalidInputError.at(what, f"{text!r} is a part of several ids, say which is meant: {listed}{more}")


def find_jobs(experiment: Experiment, texts: Iterable[str]) -> list[Job]:
    """Return the jobs of several texts as `find_job` does, each once; of one that is not clear none is returned."""
    found = [find_job(experiment, text) for text in dict.fromkeys(texts)]
    return list({job.job_id: job for job in found}.values())
