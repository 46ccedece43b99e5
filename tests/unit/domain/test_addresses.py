"""Which experiment a name means, and how addresses and references are read."""

import pytest

from sweepstake.domain.access import Role, Standing
from sweepstake.domain.addresses import (
    by_owner,
    called,
    check_reference,
    choose,
    exact,
    free_addresses,
    known_address,
    names_to_look_for,
    owner_and_name,
    told_apart,
)
from sweepstake.errors import AmbiguousNameError, InvalidInputError, NotFoundError

ME, ADA, BOB = "me@x", "ada@x", "bob@x"


def there(*experiments: tuple[str | None, str]) -> list[Standing]:
    """Return experiments, each of an owner and with a name."""
    return [
        Standing(address=f"{owner or ''}\x1f{name}", name=name, owner=owner, etag="e", role=Role.WORK)
        for owner, name in experiments
    ]


def meant(text: str, viewer: str | None, *experiments: tuple[str | None, str]) -> tuple[str | None, str]:
    """Return the owner and the name of what a viewer means, of the experiments that can be seen."""
    names = names_to_look_for(text)
    found = choose(text, [each for each in there(*experiments) if each.name in names], viewer)
    return found.owner, found.name


@pytest.mark.parametrize(
    "viewer, experiments, owner",
    [
        (ME, [ME, ADA, BOB, None], ME),
        (ME, [ADA, None], ADA),
        (ME, [None], None),
        (None, [None, ADA, BOB], None),
        (None, [ADA], ADA),
    ],
)
def test_a_name_means_the_nearest(viewer: str | None, experiments: list[str | None], owner: str | None) -> None:
    """One's own, then a shared one, then nobody's; the operator's own are those of nobody."""
    assert meant("mnist", viewer, *((each, "mnist") for each in experiments)) == (owner, "mnist")


@pytest.mark.parametrize("viewer", [ME, None])
def test_of_several_of_others_none_is_guessed(viewer: str | None) -> None:
    """Not even the one without an owner, unless that is the asker's own; the ways to write each are listed."""
    others = [(ADA, "mnist"), (BOB, "mnist")]
    with pytest.raises(AmbiguousNameError, match=r"ada@x/mnist, bob@x/mnist\.") as caught:
        meant("mnist", ME, *others, (None, "mnist"))
    assert "/mnist" in str(caught.value)
    with pytest.raises(AmbiguousNameError):
        meant("mnist", viewer, *others)
    assert meant("bob@x/mnist", viewer, *others) == (BOB, "mnist")
    assert meant("/mnist", viewer, *others, (None, "mnist")) == (None, "mnist")


def test_a_name_with_a_slash_is_looked_for_whole_first() -> None:
    """Only then as an owner and a name; if both are there, both readings are listed, and the owner decides."""
    assert meant("a/b", ME, (ME, "a/b"), (ADA, "b")) == (ME, "a/b")
    assert meant("ada@x/b/c", ME, (ADA, "b/c"), (BOB, "b")) == (ADA, "b/c")
    both = [(BOB, "ada@x/mnist"), (ADA, "mnist")]
    with pytest.raises(AmbiguousNameError, match="two ways: 'ada@x/mnist' of bob@x, 'mnist' of ada@x") as caught:
        meant("ada@x/mnist", ME, *both)
    assert "--owner" in str(caught.value)
    assert meant(by_owner(BOB, "ada@x/mnist"), ME, *both) == (BOB, "ada@x/mnist")
    assert meant(by_owner(ADA, "mnist"), ME, *both) == (ADA, "mnist")
    assert meant("bob@x/ada@x/mnist", ME, *both) == (BOB, "ada@x/mnist")


@pytest.mark.parametrize("text", ["mnist", "ada@x/mnist", "/mnist", by_owner(ADA, "mnist"), by_owner(None, "mnist")])
def test_what_is_not_there_is_not_found(text: str) -> None:
    """The error speaks of what was asked for, without control characters."""
    with pytest.raises(NotFoundError) as caught:
        meant(text, ME, (ADA, "other"), (BOB, "mnist")) if text != "mnist" else meant(text, ME, (ADA, "other"))
    assert str(caught.value).isprintable()


def test_a_reference_says_what_it_is() -> None:
    """An address, an owner with a name, or what somebody wrote; each holds the name."""
    assert known_address(exact("bob@x\x1fa/b")) == "bob@x\x1fa/b"
    assert owner_and_name(by_owner(None, "a/b")) == (None, "a/b")
    assert {known_address("a/b"), owner_and_name("a/b"), known_address(by_owner(ADA, "a"))} == {None}
    assert [called(each) for each in ("a/b", exact("a/b"), exact("k\x1fa/b"), by_owner(ADA, "a/b"))] == ["a/b"] * 4
    for good in ("a", "a" * 255, f"{'o' * 250}@x/{'n' * 255}", exact("a"), exact("k\x1fa"), by_owner(ADA, "a")):
        assert check_reference(good, "name") == good


@pytest.mark.parametrize(
    "bad",
    ["", ".", "a" * 256, f"{'a/' * 256}", "a\x1fb", exact(""), exact("\x01a"), exact("\n\x1fa"), by_owner("\x01", "a")],
)
def test_a_reference_that_means_nothing_is_refused(bad: str) -> None:
    """So that no request names what is hidden, such as an import under way."""
    with pytest.raises(InvalidInputError):
        check_reference(bad, "name")


def test_few_names_are_looked_for() -> None:
    """However many slashes a text has: each costs a look-up."""
    assert names_to_look_for("a/b/c") == ["a/b/c"]
    assert names_to_look_for("me@x/b/c") == ["me@x/b/c", "b/c", "c"]
    assert names_to_look_for("/b/c") == ["/b/c", "b/c"]
    assert len(names_to_look_for("@/" * 127)) < 10
    assert names_to_look_for("a@x/") == ["a@x/"]


def test_a_new_experiment_gets_its_name_for_an_address_if_it_can() -> None:
    """All of them end with the name, and differ by owner and call."""
    assert list(free_addresses(ADA, "n", "key")) == ["n", "ada@x\x1fn", "key\x1fn"]
    assert {called(each) for each in free_addresses(None, "n", "key")} == {"n"}


def test_a_list_tells_experiments_apart() -> None:
    """By the owner where a name stands there twice, and where another's name looks like an owner's."""
    assert told_apart([(ADA, "a"), (BOB, "a"), (None, "b"), (None, "ada@x/a")]) == [
        "ada@x/a",
        "bob@x/a",
        "b",
        "/ada@x/a",
    ]
