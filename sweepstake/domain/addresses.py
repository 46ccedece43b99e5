"""Which experiment a call means, where several users of a server have one of the same name.

A store keeps each experiment under an *address*, which is unique and stays the same for as long as the experiment is
there. It is the name, or, where another owner's experiment has that already, something more with the name at its end.

A call says by a *reference* which experiment it means. There are three kinds:

- what a person writes: a name, or `owner/name`; it is read as the person's own first (see `choose`);
- an address, as whoever has met the experiment before knows it;
- an owner and a name, for a person who wants to be exact.

The last two begin with control characters, which no name holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from sweepstake.domain.access import Standing
from sweepstake.domain.names import MAX_NAME, check_name
from sweepstake.errors import AmbiguousNameError, NotFoundError
from sweepstake.plaintext import listed

__all__ = [
    "MAX_CALLED",
    "by_owner",
    "called",
    "check_called",
    "check_reference",
    "choose",
    "exact",
    "free_addresses",
    "known_address",
    "names_to_look_for",
    "no_experiment",
    "owner_and_name",
    "qualified",
    "spoken",
    "told_apart",
]

#: The most characters of what a person writes: an owner, a slash, and a name.
MAX_CALLED: Final = 2 * MAX_NAME + 1
#: Stands before an address that is a reference, and within an address before the name.
_SEPARATOR: Final = "\x1f"
#: Stands before an owner and a name that are a reference.
_OWNED: Final = "\x1e"
#: How many experiments an error lists.
_MOST_LISTED: Final = 10
#: At how many slashes a text is split into an owner and a name, at most; emails rarely hold one.
_MOST_SPLITS: Final = 8


@lru_cache  # each job that is read asks for its experiment's
@lru_cache  # each job of a page asks for it
def called(reference: str) -> str:
    """Return the name within a reference or an address; of what a person wrote all of it."""
    return reference.rpartition(_SEPARATOR)[2]


@lru_cache  # each call about a job asks for it
def exact(address: str) -> str:
    """Return the reference that means the experiment with this address."""
    return _SEPARATOR + address


def by_owner(owner: str | None, name: str) -> str:
    """Return the reference that means this owner's experiment; None: the one without an owner."""
    return f"{_OWNED}{owner or ''}{_SEPARATOR}{name}"


def known_address(reference: str) -> str | None:
    """Return the address in a reference, if it is one of that kind."""
    return reference[1:] if reference.startswith(_SEPARATOR) else None


def owner_and_name(reference: str) -> tuple[str | None, str] | None:
    """Return the owner and the name in a reference, if it is one of that kind."""
    if not reference.startswith(_OWNED):
        return None
    owner, _, name = reference[1:].partition(_SEPARATOR)
    return owner or None, name


def check_called(text: object, path: str) -> str:
    """Return what a person wrote, if it can mean an experiment: a name, or `owner/name`."""
    return check_name(text, path, most=MAX_CALLED if isinstance(text, str) and "/" in text else MAX_NAME)


def check_reference(reference: object, path: str) -> str:
    """Return the reference, of any kind, if it can mean an experiment: its parts follow the rules of names."""
    if not isinstance(reference, str) or reference[:1] not in (_SEPARATOR, _OWNED):
        return check_called(reference, path)
    before, _, name = reference[1:].rpartition(_SEPARATOR)
    if before:
        check_name(before, path)
    check_name(name, path)
    return reference


def qualified(owner: str | None, name: str) -> str:
    """Return what a person writes to mean the experiment of this owner; `/name` is that of nobody."""
    return f"{owner or ''}/{name}"


def told_apart(named: Sequence[tuple[str | None, str]]) -> list[str]:
    """Return how to write each of these owners' experiments in one list: by its name, if no other there has it."""
    count = Counter(name for _, name in named)
    count.update(qualified(owner, name) for owner, name in named if count[name] > 1)
    return [name if count[name] == 1 else qualified(owner, name) for owner, name in named]


def spoken(address: str) -> str:
    """Return an address as a person may read it."""
    return address.replace(_SEPARATOR, "/")


def free_addresses(owner: str | None, name: str, key: str) -> Iterator[str]:
    """Yield the addresses that a new experiment may get; the first that is free is taken.

    Args:
        owner: whose it is.
        name: what it is called.
        key: op key of the call that makes it; nothing else has it.
    """
    yield name
    yield f"{owner or ''}{_SEPARATOR}{name}"
    yield f"{key}{_SEPARATOR}{name}"


def names_to_look_for(reference: str) -> list[str]:
    """Return the names that an experiment can have which a reference means, if it is not an address."""
    owned = owner_and_name(reference)
    if owned is not None:
        return [owned[1]]
    names = [reference] if len(reference) <= MAX_NAME else []
    at = reference.find("@")  # every owner has one, and nobody has none
    splits = [0] if reference.startswith("/") else []
    if at >= 0:
        splits += [place for place in range(at, len(reference)) if reference[place] == "/"]
    return names + [name for place in splits[:_MOST_SPLITS] if 0 < len(name := reference[place + 1 :]) <= MAX_NAME]


def choose(reference: str, found: Sequence[Standing], viewer: str | None) -> Standing:
    """Return the experiment that somebody means.

    What a person wrote is looked for as a whole name first: their own, else the ones shared with them, else the one
    without an owner. Only then it is read as `owner/name`. Where that leaves more than one, nothing is guessed.

    Args:
        reference: what was written, or an owner and a name.
        found: the experiments with one of `names_to_look_for` that the person may see.
        viewer: email of the person; None: the operator, who sees all, and whose own are those without an owner.

    Raises:
        NotFoundError: there is none.
        AmbiguousNameError: there are several; lists them.
    """
    owned = owner_and_name(reference)
    if owned is not None:
        meant = [each for each in found if (each.owner, each.name) == owned]
    else:
        whole = _nearest([each for each in found if each.name == reference], viewer)
        split = [each for each in found if qualified(each.owner, each.name) == reference]
        if whole and split:
            raise _two_readings(reference, [*whole, *split])
        meant = whole or split
    if not meant:
        raise no_experiment(reference)
    if len(meant) > 1:
        raise _several(reference, meant)
    return meant[0]


def _nearest(named: list[Standing], viewer: str | None) -> list[Standing]:
    """Return one's own, else those of others, else that of nobody."""
    own = [each for each in named if each.owner == viewer]
    return own or [each for each in named if each.owner is not None] or named


def _several(reference: str, meant: Sequence[Standing]) -> AmbiguousNameError:
    ways = sorted(qualified(each.owner, each.name) for each in meant)
    return AmbiguousNameError(
        f"Several experiments are called {reference!r}. Write one of these: {listed(ways[:_MOST_LISTED], len(ways))}."
    )


def _two_readings(reference: str, meant: Sequence[Standing]) -> AmbiguousNameError:
    ways = [f"{each.name!r} of {each.owner or 'nobody'}" for each in meant]
    return AmbiguousNameError(
        f"{reference!r} can be read in two ways: {listed(ways[:_MOST_LISTED], len(ways))}. "
        "Give the name as it is, and the owner beside it: --owner EMAIL (in Python, owner=EMAIL)."
    )


def no_experiment(reference: str) -> NotFoundError:
    """Return the error for an experiment that is not there."""
    owned = owner_and_name(reference)
    if owned is not None:
        return NotFoundError(f"There is no experiment {owned[1]!r} of {owned[0] or 'nobody'}.")
    return NotFoundError(f"There is no experiment {called(reference)!r}.")
