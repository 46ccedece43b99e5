"""What a search is to the queue: a pure policy that proposes hyperparameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import ClassVar, Self

from attrs import frozen

from sweepstake.domain.records import JobRecord, SearchDefinition
from sweepstake.domain.schema import Schema
from sweepstake.values import EMPTY, JsonItem, JsonObject

__all__ = ["NoProposal", "Proposal", "SearchPolicy", "generator"]


@frozen
class Proposal:
    """A job that a search would like to see run.

    Attributes:
        results: what the job starts from, such as the path of its parent's checkpoint.
        origin: how the search came to it; kept with the job and read back from the history.
    """

    hyperparameters: JsonObject
    results: JsonObject = EMPTY
    origin: JsonObject | None = None


class NoProposal(Enum):
    """Why a search proposes nothing now."""

    #: It proposes nothing before a job is added by hand; a manual search never does.
    NONE = "none"
    #: It may propose again when a running job has ended or a job was added.
    WAITING = "waiting"
    #: Its finite space is used up.
    EXHAUSTED = "exhausted"
    #: The search is over; the experiment becomes DONE.
    COMPLETE = "complete"


class SearchPolicy(ABC):
    """A search: immutable, and pure in everything it is handed. Each is a frozen class that derives from this one.

    Attributes:
        kind: its word on the wire, such as `RandomSearch`.
        schema: what its stored parameters are, as JSON Schema.
    """

    __slots__ = ()

    kind: ClassVar[str]
    schema: ClassVar[Schema]

    @classmethod
    @abstractmethod
    def of(cls, params: object) -> Self:
        """Make the policy of its stored parameters, or raise InvalidInputError with paths below them."""

    @property
    @abstractmethod
    def params(self) -> object:
        """Its parameters as they are stored: plain data, of which `of` makes an equal policy."""

    @property
    def history(self) -> int:
        """How many of the newest jobs `propose` wants to see; 0 when seed and index are enough."""
        return 0

    def definition(self) -> SearchDefinition:
        """Return the search as it is stored."""
        return SearchDefinition(self.kind, JsonItem.of(self.params, f"scheduler.{self.kind}").text)

    @abstractmethod
    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> Proposal | NoProposal:
        """Propose one job, or say why not; the same arguments always give the same answer.

        Args:
            index: how many jobs this search has proposed before.
            seed: of the experiment.
            history: the newest `self.history` jobs of the experiment, oldest first. It holds every proposal
                before this one that is not older than that.
        """


def generator(seed: int, index: int) -> Random:
    """Return the source of randomness of proposal `index`; neighbours have nothing in common."""
    return Random(f"sweepstake/{seed}/{index}")
