"""What clients of Schedy are shown of searches that they have no word for.

Their listing of experiments breaks at the first search they do not know. So they see one as a manual search, from
which they can claim what it proposes; and when they write that back, the search stays as it is.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from sweepstake.domain.records import ExperimentRecord, SearchDefinition
from sweepstake.errors import NotFoundError
from sweepstake.ports import ExperimentDraft, Queue

__all__ = ["as_meant", "as_shown", "is_schedys"]

_KNOWN: Final = {"Manual", "RandomSearch", "PBT"}
_MANUAL: Final = SearchDefinition("Manual")


def is_schedys(authorization: str | None) -> bool:
    """Tell whether a request carries a signed token, as only clients of Schedy ask for one."""
    return (authorization or "").count(".") == 2


def as_shown(record: ExperimentRecord) -> ExperimentRecord:
    """Return an experiment with a search that the client knows."""
    return record if record.search.kind in _KNOWN else evolve(record, search=_MANUAL)


def as_meant(draft: ExperimentDraft, queue: Queue, name: str) -> ExperimentDraft:
    """Return a definition with the search that is stored, where the client was shown a manual one for it."""
    if draft.search != _MANUAL:
        return draft
    try:
        stored = queue.get_experiment(name).search
    except NotFoundError:
        return draft
    return draft if stored.kind in _KNOWN else evolve(draft, search=stored)
