"""Classes of experiments that are made of a search's own parameters."""

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from attrs import field, frozen

from sweepstake.client import ManualSearch
from sweepstake.client.searches import class_of
from sweepstake.domain.records import JobRecord
from sweepstake.domain.schema import Schema
from sweepstake.domain.status import ExperimentStatus
from sweepstake.search import SEARCHES, Proposal, SearchKind, SearchPolicy, Takes
from sweepstake.values import JsonObject


@frozen
class _Countdown(SearchPolicy):
    """Propose a number less each time."""

    kind: ClassVar[str] = "Countdown"
    schema: ClassVar[Schema] = {"type": "integer"}

    start: int
    step: int = field(default=1, kw_only=True)

    @classmethod
    def of(cls, params: Any) -> "_Countdown":
        """Make it of what is stored."""
        return cls(params)

    @property
    def params(self) -> int:
        """The number that it begins with."""
        return self.start

    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> Proposal:
        """Propose the next."""
        return Proposal(JsonObject.of({"n": self.start - index * self.step}))


Countdown: Any = class_of(
    SearchKind(
        policy=_Countdown, called="CountdownSearch", command="countdown", takes=Takes.MORE, summary="Count down."
    )
)


def test_a_search_of_the_table_has_a_class_of_its_own() -> None:
    """Its parameters are the name, those of the policy, the status, and settings."""
    assert list(inspect.signature(Countdown).parameters) == ["name", "start", "status", "step", "settings"]
    assert (Countdown.__name__, Countdown.__doc__) == ("CountdownSearch", "Count down.")


def test_a_made_class_takes_what_a_written_one_takes() -> None:
    """The search, the status and the settings are where they belong, by place or by name."""
    for made in (
        Countdown("c", 5, "DONE", step=2, max_jobs=3),
        Countdown(name="c", start=5, status="DONE", step=2, max_jobs=3),
    ):
        assert made.policy == _Countdown(5, step=2)
        assert (made.name, made.status, made.settings.max_jobs) == ("c", ExperimentStatus.DONE, 3)


def test_a_made_class_is_found_where_users_import_it() -> None:
    """There pickle looks for the class of an experiment that goes to another process."""
    assert (Countdown.__module__, Countdown.__qualname__) == ("sweepstake", "CountdownSearch")


def test_a_made_class_refuses_what_is_missing() -> None:
    """As any function does."""
    with pytest.raises(TypeError, match="start"):
        Countdown("c")


def test_a_written_class_stays_as_it_is() -> None:
    """What is written out for editors is what the table leads to."""
    assert class_of(SEARCHES[0]) is ManualSearch
