"""The order in which jobs that wait for each other are created."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.dependencies import creation_order
from sweepstake.domain.drafts import JobDraft
from sweepstake.errors import InvalidInputError
from tests.kit.lab import draft

Graph = list[list[int]]


def drafts(graph: Graph) -> dict[int, JobDraft]:
    """Return a draft for each node, which waits for those that its list names."""
    return {i: draft(str(i), depends_on=tuple(map(str, needs))) for i, needs in enumerate(graph)}


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Draw what each of some jobs waits for, without circles, in any order of names."""
    names = draw(st.permutations(range(draw(st.integers(1, 12)))))
    graph: Graph = [[] for _ in names]
    for i, name in enumerate(names):
        graph[name] = draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []
    return graph


@given(acyclic())
def test_what_waits_comes_after_what_it_waits_for(graph: Graph) -> None:
    """Each place stands once, behind all that its draft waits for."""
    order = creation_order(drafts(graph))
    assert sorted(order) == list(range(len(graph)))
    assert all(order.index(needed) < order.index(i) for i, needs in enumerate(graph) for needed in needs)


@given(acyclic(), st.data())
def test_a_circle_is_refused_and_shown(graph: Graph, data: st.DataObject) -> None:
    """An edge back from a job to one that waits for it, however far, is found; the error walks along real edges."""
    order = creation_order(drafts(graph))
    end = data.draw(st.sampled_from(order))
    reached, frontier = {end}, [end]
    while frontier:
        frontier = [i for i, needs in enumerate(graph) if i not in reached and reached & set(needs)]
        reached |= set(frontier)
    graph[end] = [*graph[end], data.draw(st.sampled_from(sorted(reached)))]
    with pytest.raises(InvalidInputError) as refused:
        creation_order(drafts(graph))
    [(path, problem)] = refused.value.problems
    assert path.endswith("].depends_on")
    shown = [word.strip("'") for word in problem.partition(": ")[2].split(" -> ")]
    steps = [step for step in itertools.pairwise(shown) if "..." not in step]
    assert all(int(needed) in graph[int(i)] for i, needed in steps)


def test_drafts_that_wait_for_none_of_the_others_keep_their_order() -> None:
    """Jobs outside the call do not matter."""
    many = {i: draft(str(i), depends_on=("elsewhere",)) for i in range(5)}
    assert creation_order(many) == [0, 1, 2, 3, 4]


def test_a_very_long_chain_is_no_problem() -> None:
    """Five thousand jobs, each waiting for the next."""
    chain: Graph = [[i + 1] for i in range(4999)] + [[]]
    assert creation_order(drafts(chain)) == list(range(4999, -1, -1))
