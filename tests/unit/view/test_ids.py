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
    assert list(shortened(["resnet-50-a", "vgg-16-bn-a"]).values()) == ["resnet", "vgg-16"]


def test_short_ids_stay_whole() -> None:
    """Nothing is cut below six characters."""
    assert shortened(["a", "b", "exact6"]) == {"a": "a", "b": "b", "exact6": "exact6"}


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=12)))
def test_no_two_ids_are_shown_alike(ids: list[str]) -> None:
    """Each short form is an end or a beginning of its id, of six characters at least, and of no other."""
    short = shortened(ids)
    assert len(set(short.values())) == len(set(ids))
    for whole, part in short.items():
        if part != whole:
            assert [other for other in short if other.startswith(part) or other.endswith(part)] == [whole]
        assert len(part) >= min(LEAST, len(whole))
