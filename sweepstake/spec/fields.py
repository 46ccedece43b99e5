"""The table of fields of a class: what each may hold, what it is called in files, and what changes it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final

import attrs
from attrs import frozen

from sweepstake.spec.kinds import Kind

__all__ = ["Entry", "Table", "camel", "holds", "spelled", "table_of", "unknown"]

#: How alike a name must be to one that is known to be suggested for it.
_ALIKE: Final = 0.5
_KIND: Final = "spec kind"
_ALWAYS: Final = "spec always"
_SPREAD: Final = "spec spread"
_CHANGER: Final = "spec changer"


def holds(
    kind: Kind, *, default: Any = attrs.NOTHING, always: bool = False, spread: bool = False, changer: str = ""
) -> Any:
    """Describe a field of a record.

    Args:
        kind: what it may hold.
        default: what it holds if nothing is said; without one it must be given.
        always: it is written even if it holds its default.
        spread: it holds the members that are no fields, and they are written beside the fields.
        changer: what returns a copy in which it is another, such as ``with_name(...)``.
    """
    metadata = {_KIND: kind, _ALWAYS: always, _SPREAD: spread, _CHANGER: changer}
    return attrs.field(default=default, metadata=metadata)


@frozen
class Entry:
    """A field as the table has it; `wire` is what it is called in files."""

    name: str
    wire: str
    kind: Kind
    default: Any
    always: bool
    spread: bool
    changer: str

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is attrs.NOTHING

    def absent(self) -> Any:
        """Return what it holds if nothing is said."""
        default = self.default
        return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


@frozen(kw_only=True)
class Table:
    """The fields of a class, and how each may be spelled."""

    #: Those that have a name in files.
    entries: tuple[Entry, ...]
    required: tuple[Entry, ...]
    #: Each field by the names that it may have, its own among them.
    spellings: Mapping[str, Entry]
    #: The one that holds what is no field, if any name is possible.
    rest: Entry | None
    all: Mapping[str, Entry]
    #: Every attribute of the class with its default.
    unset: tuple[tuple[str, Any], ...]


@cache
def table_of(kind: type[Any]) -> Table:
    """Return the fields of a class of records."""
    entries = tuple(
        Entry(
            name=each.name,
            wire=camel(each.name),
            kind=each.metadata[_KIND],
            default=each.default,
            always=each.metadata[_ALWAYS],
            spread=each.metadata[_SPREAD],
            changer=each.metadata[_CHANGER],
        )
        for each in attrs.fields(kind)
        if _KIND in each.metadata
    )
    named = [each for each in entries if not each.spread]
    spellings = {spelling: each for each in named for spelling in (each.name, each.wire)}
    rest = next((each for each in entries if each.spread), None)
    return Table(
        entries=tuple(named),
        required=tuple(each for each in named if each.required),
        spellings=MappingProxyType(spellings),
        rest=rest,
        all={each.name: each for each in entries},
        unset=tuple((each.name, each.default) for each in attrs.fields(kind)),
    )


def camel(name: str) -> str:
    """Return what a field is called in files."""
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def spelled(kind: type) -> dict[str, str]:
    """Return each field of a class with its name in files."""
    return {each.name: each.wire for each in table_of(kind).entries}


def unknown(word: str, kind: type, *, in_code: bool = False) -> str:
    """Say that a class has no field of a name, and which it has that is like it, by its name in files or in code."""
    nearest = _nearest(word[:100], kind)
    if nearest and in_code:
        nearest = table_of(kind).spellings[nearest].name
    return f"is unknown here; did you mean {nearest!r}?" if nearest else "is unknown here"


@lru_cache(maxsize=1024)
def _nearest(word: str, kind: type) -> str | None:
    """Return the field whose name is most like a word.

    Only names that begin or end as the word does are compared, because a file may have ten thousand such words.
    """
    folded = _folded(word)
    names = {_folded(each.name): each.wire for each in table_of(kind).entries}
    if folded in names:
        return names[folded]
    similar = [name for name in names if name[:1] == folded[:1] or name[-2:] == folded[-2:]]
    close = difflib.get_close_matches(folded, similar, n=1, cutoff=_ALIKE)
    return names[close[0]] if close else None


def _folded(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
