from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.search import Choice, Distribution, LogUniform, RandomPolicy, Uniform
from sweepstake.values import EMPTY
from tests.kit.strategies import distributions, texts

_POLICY = RandomPolicy({"lr": LogUniform(1e-5, 1e-1), "layers": Choice([1, 2, 3]), "dropout": Uniform(0, 0.5)})


def test_draws_every_hyperparameter_from_its_distribution() -> None:
    """A proposal has exactly the names of the search, in their order, with values of their spaces."""
    for index in range(100):
        found = _POLICY.propose(index, 7, ()).hyperparameters.decode()
        assert list(found) == ["lr", "layers", "dropout"]
        assert 1e-5 <= found["lr"] < 1e-1
        assert found["layers"] in {1, 2, 3}
        assert 0 <= found["dropout"] < 0.5


def test_proposals_differ_by_index_and_by_seed() -> None:
    """A thousand proposals, and those of neighbouring seeds, are all different."""
    texts_found = {_POLICY.propose(index, seed, ()).hyperparameters.text for index in range(500) for seed in (-1, 0, 1)}
    assert len(texts_found) == 1500


def test_a_known_proposal_stays_as_it_is() -> None:
    """Proposal i of a seed is the same in every process and on every version of Python."""
    found = RandomPolicy({"lr": Uniform(0, 1), "n": Choice(["a", "b", "c"])}).propose(3, 42, ())
    assert found.hyperparameters.text == '{"lr":0.17626459297611763,"n":"a"}'


@given(st.dictionaries(texts, distributions, max_size=4), st.integers(0, 100))
def test_the_order_of_names_changes_no_value(named: dict[str, Distribution], index: int) -> None:
    """The same search written in another order proposes the same values."""
    forwards = RandomPolicy(named).propose(index, 1, ())
    backwards = RandomPolicy(dict(reversed(named.items()))).propose(index, 1, ())
    assert forwards.hyperparameters.canonical() == backwards.hyperparameters.canonical()


def test_a_proposal_starts_without_results() -> None:
    """A sample has no results, no origin, and needs no history."""
    proposal = _POLICY.propose(0, 1, ())
    assert (proposal.results, proposal.origin, _POLICY.history) == (EMPTY, None, 0)


@pytest.mark.parametrize(
    "make,path",
    [
        (lambda: RandomPolicy(5), "distributions"),
        (lambda: RandomPolicy({"lr": 0.1}), "distributions.lr"),
        (lambda: RandomPolicy({3: Uniform(0, 1)}), "distributions"),
    ],
)
def test_what_is_no_distribution_is_refused(make: Callable[[], object], path: str) -> None:
    """A plain value in place of a distribution is refused by name."""
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.problems[0][0] == path
