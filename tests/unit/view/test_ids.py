"""Ids made short."""

from hypothesis import given
from hypothesis import strategies as st

from sweepstake.view.ids import LEAST, shortened

MADE = ["06a1s0tn54q3j4b2sv0ll7lc5g", "06a1s0tn54q3j4b2sv0ll7lc6h", "06a1s0tn54q3j4b2sv0ll8lc5g"]


def test_ids_made_together_are_told_apart_by_their_ends() -> None:
    """They share their beginning, so the end is shown."""
    assert list(shortened(MADE[:2]).values()) == ["l7lc5g", "l7lc6h"]
    assert list(shortened(MADE).values()) == ["l7lc5g", "l7lc6h", "l8lc5g"]


def test_ids_of_different_beginnings_are_told_apart_by_these() -> None:
    """The beginning is what people look for first."""
    uuids = ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "6ecd8c99-4036-403d-bf84-cf8400f67301"]
    assert list(shortened(uuids).values()) == ["3f2504", "6ecd8c"]


def test_names_stay_whole() -> None:
    """Those of a spec's jobs say what they are, and their ends and beginnings do not."""
    names = ["prepare", "train.1", "train.2", "tulu-finetune-multinode.r0"]
    assert list(shortened(names).values()) == names
    assert list(shortened([*names, MADE[0]]).values()) == [*names, "l7lc5g"]
    assert shortened([MADE[0], "more-l7lc5g"])[MADE[0]] == "06a1s0"


def test_short_ids_stay_whole() -> None:
    """Nothing is cut below six characters."""
    assert shortened(["a", "b", "exact6"]) == {"a": "a", "b": "b", "exact6": "exact6"}


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=24)))
def test_no_two_ids_are_shown_alike(ids: list[str]) -> None:
    """Each short form is an end or a beginning of its id, of six characters at least, and of no other."""
    short = shortened(ids)
    assert len(set(short.values())) == len(set(ids))
    for whole, part in short.items():
        if part != whole:
            assert [other for other in short if other.startswith(part) or other.endswith(part)] == [whole]
        assert len(part) >= min(LEAST, len(whole))
