"""What jobs need against what is offered, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.tasks.needs import Constraint, Needs, Offer, WorkerLabel, unmet, unmet_by_all
from sweepstake.errors import InvalidInputError

OFFER = Offer(cpu=2, gpu=1, memory=3 * 1024**3, labels=(WorkerLabel(name="cluster", value="here"),))
AMOUNTS = st.builds(
    Needs,
    cpu=st.floats(0, 1e6),
    gpu=st.integers(0, 100),
    memory=st.integers(0, 2**50),
    constraints=st.dictionaries(st.text(min_size=1), st.lists(st.text(min_size=1), min_size=1)).map(
        lambda found: tuple(Constraint(name=name, values=tuple(sorted(set(values)))) for name, values in found.items())
    ),
    replicas=st.integers(1, 9),
)


@pytest.mark.parametrize(
    "needs, why",
    [
        (Needs(), None),
        (Needs(cpu=2.0, gpu=1, memory=3 * 1024**3), None),
        (Needs(gpu=2), "needs 2 GPUs; the worker has 1 GPU"),
        (Needs(cpu=2.5), "needs 2.5 CPUs; the worker has 2 CPUs"),
        (Needs(memory=4 * 1024**3), "needs 4 GiB of memory; the worker has 3 GiB of memory"),
        (Needs(constraints=(Constraint(name="cluster", values=("here", "there")),)), None),
        (
            Needs(constraints=(Constraint(name="cluster", values=("a", "b")),)),
            "needs cluster a or b; the worker has here",
        ),
        (
            Needs(constraints=(Constraint(name="disk", values=("fast",)),)),
            "needs disk fast; the worker has no such label",
        ),
    ],
)
def test_what_is_unmet_is_said(needs: Needs, why: str | None) -> None:
    """The first thing that is lacking, and what there is instead."""
    assert unmet(needs, OFFER) == why


@given(AMOUNTS)
def test_needs_are_kept_as_a_text(needs: Needs) -> None:
    """Reading it gives the same needs, and equal needs have the same text."""
    assert Needs.of(needs.text) == needs
    assert Needs.of(needs.text).text == needs.text


def test_the_order_of_constraints_makes_no_difference() -> None:
    """Nor does that of their values."""
    one = Constraint(name="a", values=("x", "y"))
    same, other = Constraint(name="a", values=("y", "x")), Constraint(name="b", values=("z",))
    assert Needs(constraints=(one, other)).text == Needs(constraints=(other, same)).text


def test_what_is_taken_is_left_no_more() -> None:
    """Tenths of a processor add up to a whole, and there is never less than nothing."""
    offer = Offer(cpu=1, gpu=3, memory=5)
    for _ in range(10):
        assert unmet(Needs(cpu=0.1), offer) is None
        offer = offer.less(Needs(cpu=0.1))
    assert unmet(Needs(cpu=0.1), offer) is not None
    assert offer.less(Needs(gpu=2, memory=9)) == Offer(cpu=offer.cpu, gpu=1, memory=0)


@pytest.mark.parametrize("amount", [-1, float("nan"), True, "2"])
def test_an_offer_is_of_numbers(amount: object) -> None:
    """Anything else is refused, by the name of the field."""
    with pytest.raises(InvalidInputError, match="cpu"):
        Offer(cpu=amount)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "needs, offers, why",
    [
        (Needs(), [], "needs a worker that runs tasks; no worker is alive that says what it has"),
        (Needs(gpu=2), [OFFER], "needs 2 GPUs; of 1 live worker none has more than 1"),
        (Needs(gpu=2), [Offer(), Offer(gpu=1), OFFER], "needs 2 GPUs; of 3 live workers none has more than 1"),
        (Needs(gpu=1), [Offer(), Offer(cpu=1)], "needs 1 GPU; of 2 live workers none has any"),
        (
            Needs(memory=4 * 1024**3),
            [OFFER],
            "needs 4 GiB of memory; of 1 live worker none has more than 3 GiB of memory",
        ),
        (
            Needs(gpu=1, cpu=4),
            [Offer(gpu=1), Offer(cpu=4)],
            "needs 1 GPU, 4 CPUs; of 2 live workers none has all of that",
        ),
        (Needs(gpu=1, cpu=2), [Offer(), OFFER], None),
    ],
)
def test_what_nobody_has_is_said(needs: Needs, offers: list[Offer], why: str | None) -> None:
    """The first need that none of the workers meets, or that no single one meets all."""
    assert unmet_by_all(needs, offers) == why
