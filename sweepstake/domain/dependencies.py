"""Jobs that wait for other jobs: in which order they can be created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.drafts import JobDraft
from sweepstake.errors import InvalidInputError

__all__ = ["creation_order"]

#: How many ids of a cycle are named in an error.
_SHOWN: Final = 10


def creation_order(drafts: Mapping[int, JobDraft]) -> list[int]:
    """Return the places of these drafts in an order in which each comes after those it waits for.

    Drafts that wait for none of the others stay in the order they have.

    Args:
        drafts: by their place in the call, which errors name.

    Raises:
        InvalidInputError: some wait for each other in a circle, which the error shows.
    """
    places = {draft.id: place for place, draft in drafts.items()}
    order: list[int] = []
    done: set[int] = set()
    for start in drafts:
        path: dict[int, None] = {}
        stack = [start]
        while stack:
            place = stack[-1]
            if place in done or place in path:
                stack.pop()
                if place not in done:
                    del path[place]
                    done.add(place)
                    order.append(place)
                continue
            path[place] = None
            needed = [places[id_] for id_ in drafts[place].depends_on if id_ in places]
            for other in reversed(needed):
                if other in path:
                    raise _circle([drafts[each].id for each in _from(path, other)], place)
                stack.append(other)
    return order


def _from(path: Mapping[int, None], first: int) -> list[int]:
    walked = list(path)
    return walked[walked.index(first) :]


def _circle(ids: Sequence[str], place: int) -> InvalidInputError:
    if len(ids) == 1:
        return InvalidInputError.at(f"jobs[{place}].depends_on", f"names the job itself: {ids[0]!r}")
    shown = [*map(repr, ids[:_SHOWN]), *(["..."] if len(ids) > _SHOWN else []), repr(ids[0])]
    return InvalidInputError.at(
        f"jobs[{place}].depends_on", f"makes {len(ids):,} jobs wait for each other in a circle: {' -> '.join(shown)}"
    )
