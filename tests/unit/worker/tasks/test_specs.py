"""What a worker knows of specs, and what it asks for."""

from typing import TypeVar

import attrs
import pytest

from sweepstake import Database, ManualSearch
from sweepstake.errors import NotFoundError
from sweepstake.queue.call import Call
from sweepstake.queue.calls import GetSpec
from sweepstake.queue.queue import Queue, Sender
from sweepstake.worker.tasks.specs import Specs
from tests.kit.lab import spec

A = TypeVar("A")


@attrs.frozen
class _Noting:
    """Passes calls on, and notes which specs are asked for, and which are there."""

    sender: Sender
    asked: list[int | None] = attrs.field(factory=list)
    answered: list[int] = attrs.field(factory=list)

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        if isinstance(call, GetSpec):
            self.asked.append(call.version)
        answer = self.sender.send(call)
        if isinstance(call, GetSpec):
            self.answered.append(call.version or 0)
        return answer

    def close(self) -> None:
        self.sender.close()


@pytest.fixture
def exp(db: Database) -> ManualSearch:
    """An experiment without a spec, whose calls are noted."""
    made = db.add_experiment(ManualSearch("exp"))
    assert made.record is not None
    made.attach(attrs.evolve(made.session, queue=Queue(_Noting(made.session.queue.sender))), made.record)
    return made


def test_a_spec_is_sent_once(exp: ManualSearch) -> None:
    """However often a worker asks for the last one: what it knows is not sent again, and a later one is found."""
    noting, specs = exp.session.queue.sender, Specs()
    assert isinstance(noting, _Noting)
    exp.session.queue.put_spec(exp.name, spec({"name": "a"}))
    assert [list(specs.last(exp).by_name) for _ in range(3)] == [["a"]] * 3
    assert (noting.asked, noting.answered) == ([None, 2, 2], [0])
    exp.session.queue.put_spec(exp.name, spec({"name": "b"}))
    exp.session.queue.put_spec(exp.name, spec({"name": "c"}))
    assert list(specs.last(exp).by_name) == ["c"]
    assert list(specs.tasks(exp, 2).by_name) == ["b"]
    assert list(specs.tasks(exp, 1).by_name) == ["a"]
    assert noting.answered == [0, 2, 3]


def test_an_experiment_without_a_spec_is_asked_again(exp: ManualSearch) -> None:
    """It may get one."""
    specs = Specs()
    for _ in range(2):
        with pytest.raises(NotFoundError):
            specs.last(exp)
    exp.session.queue.put_spec(exp.name, spec({"name": "a"}))
    assert list(specs.last(exp).by_name) == ["a"]


def test_an_experiment_in_the_place_of_another_has_its_own_spec(db: Database, exp: ManualSearch) -> None:
    """The first version of it is not that of the one that was deleted, though both are called the same."""
    specs = Specs()
    exp.session.queue.put_spec(exp.name, spec({"name": "a"}))
    assert list(specs.last(exp).by_name) == ["a"]
    exp.delete()
    with pytest.raises(NotFoundError):
        specs.last(exp)
    other = db.add_experiment(ManualSearch("exp"))
    assert other.reference == exp.reference
    other.session.queue.put_spec(other.name, spec({"name": "b"}))
    assert list(specs.last(other).by_name) == ["b"]
    assert list(specs.tasks(other, 1).by_name) == ["b"]
