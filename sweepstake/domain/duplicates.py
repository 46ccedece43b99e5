"""What to do with a new job whose hyperparameters the experiment has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from attrs import evolve, frozen

from sweepstake.domain.drafts import JobDraft

__all__ = ["Added", "Duplicate", "OnDuplicate", "sift"]


class OnDuplicate(StrEnum):
    """What to do with a new job whose hyperparameters are those of a job of the experiment, whatever its status.

    They are the same if their values are, in any order of keys; 1, 1.0 and true differ.
    """

    ALLOW = "allow"
    SKIP = "skip"
    ERROR = "error"


@frozen
class Duplicate:
    """A job that was not created.

    Attributes:
        place: where it stood in the call, from 0.
        id: the job of the experiment that has its hyperparameters.
    """

    place: int
    id: str


@frozen
class Added:
    """What became of a call that adds jobs.

    Attributes:
        duplicates: those that were left out; all others were created.
    """

    duplicates: tuple[Duplicate, ...] = ()


def sift(
    drafts: Sequence[JobDraft], digests: Sequence[str], equal: Mapping[str, str]
) -> tuple[dict[int, JobDraft], Added]:
    """Return the drafts whose hyperparameters are new, by their place in the call, and which jobs replace the others.

    Of drafts with the same hyperparameters the first is kept. A draft that depends on one that is left out depends on
    the job that replaces it.

    Args:
        digests: of the drafts' hyperparameters.
        equal: ids of jobs that are there, by the digests of theirs.
    """
    standing = dict(equal)
    fresh: dict[int, JobDraft] = {}
    left_out = []
    for place, (draft, digest) in enumerate(zip(drafts, digests, strict=True)):
        if digest in standing:
            left_out.append(Duplicate(place, standing[digest]))
        else:
            standing[digest] = draft.id
            fresh[place] = draft
    others = {drafts[each.place].id: each.id for each in left_out}
    for place, draft in fresh.items():
        if not others.keys().isdisjoint(draft.depends_on):
            names = dict.fromkeys(others.get(id_, id_) for id_ in draft.depends_on)
            fresh[place] = evolve(draft, depends_on=tuple(names))
    return fresh, Added(tuple(left_out))
