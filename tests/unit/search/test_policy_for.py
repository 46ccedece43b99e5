import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.records import SearchDefinition
from sweepstake.errors import InvalidInputError
from sweepstake.search import (
    Distribution,
    Grid,
    GridPolicy,
    ManualPolicy,
    PbtPolicy,
    Perturb,
    RandomPolicy,
    SearchPolicy,
    Truncate,
    policy_for,
)
from sweepstake.values import JsonObject
from tests.kit.strategies import distributions, json_values, texts

_distributions = st.dictionaries(texts, distributions, max_size=3)


@st.composite
def _pbt_policies(draw: st.DrawFn) -> PbtPolicy:
    initial = draw(_distributions)
    return PbtPolicy(
        objective=draw(st.sampled_from(["min", "max"])),
        result_name=draw(texts.filter(bool)),
        exploit=Truncate(draw(st.sampled_from([0.1, 0.2, 0.5]))),
        explore=draw(st.dictionaries(texts, st.sampled_from([Perturb(), Perturb(0.5, 2.0)]), max_size=3)),
        initial_distributions=initial,
        population_size=draw(st.integers(1, 10_000) if initial else st.none() | st.integers(1, 10_000)),
        max_generations=draw(st.none() | st.integers(1, 2**53)),
    )


_policies: st.SearchStrategy[SearchPolicy] = (
    st.just(ManualPolicy())
    | _distributions.map(RandomPolicy)
    | st.dictionaries(texts, st.lists(json_values, min_size=1, max_size=4), max_size=3).map(Grid).map(GridPolicy)
    | _pbt_policies()
)


@given(_policies)
def test_a_policy_comes_back_from_its_definition(policy: SearchPolicy) -> None:
    """What was stored makes an equal policy, whatever the names and values."""
    assert policy_for(policy.definition()) == policy


@given(_policies)
def test_a_definition_is_json_of_its_kind(policy: SearchPolicy) -> None:
    """A definition carries its word and parameters that any JSON reader takes."""
    definition = policy.definition()
    assert definition.kind == policy.kind
    params = json.loads(definition.params, parse_constant=pytest.fail)
    assert params is None or JsonObject.from_wire(params).wire() == params


@given(_policies, st.integers(0, 2**53), st.integers())
def test_proposing_is_pure(policy: SearchPolicy, index: int, seed: int) -> None:
    """Equal policies propose the same for the same index, seed and history."""
    assert policy.propose(index, seed, ()) == policy_for(policy.definition()).propose(index, seed, ())


@given(st.sampled_from(["Manual", "RandomSearch", "Grid", "PBT"]), json_values)
def test_any_parameters_are_taken_or_refused(kind: str, params: object) -> None:
    """Whatever stands where parameters belong makes a policy or an error below the search's path."""
    text = json.dumps(params)
    try:
        policy = policy_for(SearchDefinition(kind, text))
    except InvalidInputError as error:
        outcome = {path.startswith(f"scheduler.{kind}") for path, _ in error.problems}
    else:
        outcome = {policy_for(policy.definition()) == policy}
    assert outcome == {True}


@pytest.mark.parametrize(
    "kind,params,message",
    [
        ("Bayes", "null", "scheduler.Bayes: is no search; use one of Manual, RandomSearch, Grid, PBT"),
        ("Manual", "{}", "scheduler.Manual: takes no parameters; send null"),
        ("RandomSearch", "{", "scheduler.RandomSearch: is not valid JSON"),
        ("RandomSearch", "null", "scheduler.RandomSearch: must be an object"),
        (
            "RandomSearch",
            '{"lr": {"loguniform": {"low": 0, "high": 1}}}',
            "scheduler.RandomSearch.lr.loguniform.low: must be greater than 0",
        ),
        (
            "RandomSearch",
            '{"lr": {"uniform": {"low": NaN, "high": 1}}}',
            "scheduler.RandomSearch.lr.uniform.low: .*nan",
        ),
        ("Grid", '{"lr": []}', "scheduler.Grid.lr: is empty"),
        ("Grid", '{"lr": 3}', "scheduler.Grid.lr: must be a list of values, not int"),
        ("PBT", "[]", "scheduler.PBT: must be an object"),
    ],
)
def test_faults_are_named_by_path(kind: str, params: str, message: str) -> None:
    """What cannot be sampled is refused under the path at which it stood in the request."""
    with pytest.raises(InvalidInputError, match="^" + message):
        policy_for(SearchDefinition(kind, params))


@given(_distributions.filter(bool))
def test_names_with_dollars_stay(named: dict[str, Distribution]) -> None:
    """Hyperparameters keep their names through store and proposal, also those that begin with a dollar sign."""
    proposal = policy_for(RandomPolicy({f"${name}": item for name, item in named.items()}).definition()).propose(
        0, 1, ()
    )
    assert proposal is not None
    assert set(proposal.hyperparameters.decode()) == {f"${name}" for name in named}  # type: ignore[union-attr]  # random search always proposes


def test_a_search_that_lacks_a_part_cannot_be_made() -> None:
    """What every search must have is asked for when it is made, and not when a worker wants a job."""

    class Unfinished(SearchPolicy):
        kind = "Unfinished"

    with pytest.raises(TypeError, match="propose"):
        Unfinished()  # type: ignore[abstract] # that is the point
