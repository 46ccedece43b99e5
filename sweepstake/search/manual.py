"""The search that proposes nothing: jobs are made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

from sweepstake.domain.records import JobRecord
from sweepstake.domain.schema import Schema
from sweepstake.errors import InvalidInputError
from sweepstake.search.policy import NoProposal, SearchPolicy

__all__ = ["ManualPolicy"]


@frozen
class ManualPolicy(SearchPolicy):
    """Propose nothing; whoever uses the experiment adds its jobs."""

    kind: ClassVar[str] = "Manual"
    schema: ClassVar[Schema] = {"type": "null"}

    @classmethod
    def of(cls, params: object) -> ManualPolicy:
        """Make the policy of its stored parameters: none."""
        if params is not None:
            raise InvalidInputError.at("", "takes no parameters; send null")
        return cls()

    @property
    def params(self) -> None:
        """None."""
        return None

    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> NoProposal:  # noqa: ARG002 -- the protocol
        """Propose nothing."""
        return NoProposal.NONE
