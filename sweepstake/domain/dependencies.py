"""Jobs that wait for other jobs: how many they may wait for, and in which order they can be created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.names import check_name
from sweepstake.domain.records import JobDraft
from sweepstake.errors import InvalidInputError

__all__ = ["MAX_DEPENDENCIES", "check_dependencies", "creation_order"]

#: The most jobs that one job may wait for.
MAX_DEPENDENCIES: Final = 1000
#: How many ids of a cycle are named in an error.
_SHOWN: Final = 10


def check_dependencies(ids: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the ids that a job waits for, each once, if they can be ids and are not too many.

    Raises:
        InvalidInputError: at `path`, or at the place below it that is wrong.
    """
    if len(ids) > MAX_DEPENDENCIES:
        raise InvalidInputError.at(path, f"names {len(ids):,} jobs, at most {MAX_DEPENDENCIES:,} are allowed")
    return tuple(dict.fromkeys(check_name(id_, f"{path}[{i}]") for i, id_ in enumerate(ids)))


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
