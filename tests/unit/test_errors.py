"""The tree of errors: one root, the drawing that opens the module, and words for the wire."""

import inspect
import pickle
import re

import pytest

import sweepstake
from sweepstake import errors
from sweepstake.errors import ClientRequestError, InvalidInputError, SpecFault, SweepstakeError

_ALL = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", _ALL, ids=errors.__all__)
def test_every_error_has_the_root_and_stands_in_the_front_module(error: type[Exception]) -> None:
    """`except SweepstakeError` catches them all, and each can be named from the package."""
    assert issubclass(error, SweepstakeError)
    assert getattr(sweepstake, error.__name__) is error


@pytest.mark.parametrize("error", _ALL, ids=errors.__all__)
def test_every_error_crosses_to_another_process(error: type[Exception]) -> None:
    """A pool of processes pickles what its workers raise."""
    given = {
        errors.NoJobError: ("no job", "empty"),
        InvalidInputError: ([("lr", "is missing"), ("x.y", "is wrong")],),
        errors.SpecError: ([SpecFault("tasks[0]", "is wrong", 3, 5, "spec.yaml")],),
    }
    made = error(*given.get(error, ("in vain",)))
    made.add_note("while it ran")
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), vars(again)) == (error, str(made), vars(made))


def test_the_drawing_shows_the_tree_as_it_is() -> None:
    """Each error of the module's docstring hangs below the one it derives from."""
    assert errors.__doc__ is not None
    parents: list[type[BaseException]] = []
    drawn = []
    for line in errors.__doc__.splitlines():
        match = re.search(r"[A-Z]\w+", line) if "──" in line or line.strip() == "SweepstakeError" else None
        if match is None:
            continue
        depth = (match.start() - 4) // 4
        error = getattr(errors, match[0])
        del parents[depth:]
        assert not parents or parents[-1] in error.__bases__, line
        parents.append(error)
        drawn.append(match[0])
    assert sorted(drawn) == sorted(errors.__all__)


def test_each_refusal_has_a_word_of_its_own_on_the_wire() -> None:
    """Two errors that share a word could not be told apart by a client."""
    refusals = [error for error in _ALL if issubclass(error, ClientRequestError)]
    assert len({error.slug for error in refusals}) == len(refusals)


def test_problems_are_named_by_their_paths() -> None:
    """Paths join as they are written in Python and JSON."""
    error = InvalidInputError([("[2]", "is wrong"), ("lr", "is missing"), ("", "is empty")]).under("items")
    assert str(error) == "items[2]: is wrong; items.lr: is missing; items: is empty"
    assert isinstance(error, ValueError)


def test_every_module_of_the_package_lists_what_is_public() -> None:
    """The front module exports exactly what it names, and nothing leaks."""
    public = {
        name for name, value in vars(sweepstake).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(sweepstake.__all__) - {"errors"}
