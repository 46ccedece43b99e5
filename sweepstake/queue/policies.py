"""The policies of searches that were made lately."""

from __future__ import annotations

from typing import Final

from sweepstake.domain.records import SearchDefinition
from sweepstake.search import SearchPolicy, policy_for

__all__ = ["Policies"]

#: How many policies are remembered.
_MOST_POLICIES: Final = 64


class Policies:
    """The policies that were made lately: a grid of thousands of values takes milliseconds to read."""

    def __init__(self) -> None:
        self._made: dict[SearchDefinition, SearchPolicy] = {}

    def of(self, definition: SearchDefinition) -> SearchPolicy:
        """Return the policy of a stored search."""
        policy = self._made.get(definition)
        if policy is None:
            policy = policy_for(definition)
            if len(self._made) >= _MOST_POLICIES:
                self._made.clear()
            self._made[definition] = policy
        return policy
