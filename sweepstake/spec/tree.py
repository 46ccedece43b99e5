"""What a spec is before it is one: scalars, lists and mappings that know where they stand in their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final, TypeAlias

from attrs import define, field

from sweepstake.errors import SpecFault
from sweepstake.plaintext import with_article
from sweepstake.spec.scalars import NULLS, Resolved, resolve_yaml11, resolve_yaml12, written

__all__ = [
    "MAX_DEPTH",
    "Faults",
    "Found",
    "ListNode",
    "MapNode",
    "Node",
    "Scalar",
    "described",
    "from_plain",
    "to_plain",
]

#: How deep a spec may nest.
MAX_DEPTH: Final = 64
_UNRESOLVED: Final = object()
#: Members of so small a mapping are looked for one by one.
_FEW: Final = 32


@define(eq=False, weakref_slot=False)
class Scalar:
    """A text, and whether it was written plain, so that it may mean a number; line and column are from 1."""

    text: str
    plain: bool = False
    line: int | None = None
    column: int | None = None
    #: What it is, where that is known better than its text tells: it came from Python.
    known: Any = field(default=_UNRESOLVED)

    @property
    def value(self) -> Resolved:
        """What YAML 1.1 takes it for."""
        if self.known is not _UNRESOLVED:
            value: Resolved = self.known
            return value
        return resolve_yaml11(self.text) if self.plain else self.text

    @property
    def core_value(self) -> Resolved:
        """What YAML 1.2 takes it for."""
        if self.known is not _UNRESOLVED:
            value: Resolved = self.known
            return value
        return resolve_yaml12(self.text) if self.plain else self.text

    @property
    def null(self) -> bool:
        """Whether nothing is written here."""
        return self.plain and self.text in NULLS


@define(eq=False, weakref_slot=False)
class ListNode:
    """A list of nodes."""

    items: list[Node]
    line: int | None = None
    column: int | None = None


@define(eq=False, weakref_slot=False)
class MapNode:
    """A mapping, as the pairs that were written; a key may stand twice, which whoever reads it tells."""

    pairs: list[tuple[Scalar, Node]]
    line: int | None = None
    column: int | None = None
    _members: dict[str, tuple[str, Node]] | None = None

    def member(self, *names: str) -> tuple[str, Node] | None:
        """Return the first pair whose key is one of these names, with its key as text."""
        if len(self.pairs) <= _FEW:
            return next(((key.text, child) for key, child in self.pairs if key.text in names), None)
        if self._members is None:
            self._members = {key.text: (key.text, child) for key, child in reversed(self.pairs)}
        return next((self._members[name] for name in names if name in self._members), None)


Node: TypeAlias = Scalar | ListNode | MapNode


@define(eq=False, weakref_slot=False)
class Found:
    """A fault on its way out: its place gains a step at the front at every level that it passes.

    Attributes:
        node: where it is in the file, if that is known.
        steps: keys and positions that lead to it, the last first.
    """

    problem: str
    node: Node | None
    steps: list[str | int] = field(factory=list)

    def told(self, file: str | None) -> SpecFault:
        """Return the fault as it is told."""
        line, column = (self.node.line, self.node.column) if self.node is not None else (None, None)
        return SpecFault(_path(self.steps), self.problem, line, column, file)


class Faults(Exception):  # noqa: N818 -- never leaves this package: `SpecError` does
    """What is wrong below one node.

    Attributes:
        partial: what could be made of the node all the same, so that it can be compared with others.
    """

    def __init__(self, found: list[Found], partial: Any = None) -> None:
        super().__init__()
        self.found = found
        self.partial = partial

    @classmethod
    def at(cls, node: Node | None, problem: str) -> Faults:
        """Make the faults of a single one, at this node."""
        return cls([Found(problem, node)])

    def below(self, step: str | int) -> list[Found]:
        """Return the faults as they are seen from one level further out."""
        for each in self.found:
            each.steps.append(step)
        return self.found


def _path(steps: list[str | int]) -> str:
    """Write the steps to a place, the last first, as ``tasks[2].resources.gpuCount``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(steps))
    return text.removeprefix(".")


def described(node: Node) -> str:
    """Say in a word what a node is."""
    if isinstance(node, Scalar):
        value = node.value
        return "null" if value is None else "a date" if isinstance(value, date) else f"{node.text!r:.80}"
    return "a list" if isinstance(node, ListNode) else "a mapping"


def from_plain(value: object, depth: int = 0) -> Node:
    """Make the tree of data such as `json.load` returns; what a tree cannot hold is told as a fault at its place."""
    if isinstance(value, str):
        return Scalar(value, known=value)
    if value is None:
        return Scalar("null", plain=True)
    if isinstance(value, bool):
        return Scalar("true" if value else "false", plain=True)
    if isinstance(value, int | float):
        return Scalar(written(value), plain=True, known=value)
    if isinstance(value, date):
        return Scalar(value.isoformat(), plain=True, known=value)
    if depth >= MAX_DEPTH:
        raise Faults.at(None, f"nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return MapNode([(Scalar(_key(key)), node) for key, node in _children(value.items(), depth)])
    if isinstance(value, list | tuple):
        return ListNode([node for _, node in _children(enumerate(value), depth)])
    raise Faults.at(None, f"must be JSON, not {with_article(type(value).__name__)}")


def _children(pairs: Any, depth: int) -> Iterator[tuple[Any, Node]]:
    found: list[Found] = []
    for key, value in pairs:
        try:
            yield key, from_plain(value, depth + 1)
        except Faults as faults:
            found += faults.below(key if isinstance(key, int) else _key(key))
    if found:
        raise Faults(found)


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(key)


def to_plain(node: Node) -> Any:
    """Return a tree as plain data, its scalars as YAML 1.2 takes them; keys that stand twice are told."""
    if isinstance(node, Scalar):
        return node.core_value
    found: list[Found] = []
    if isinstance(node, ListNode):
        items = []
        for i, item in enumerate(node.items):
            try:
                items.append(to_plain(item))
            except Faults as faults:
                found += faults.below(i)
        if found:
            raise Faults(found)
        return items
    members: dict[str, Any] = {}
    for key, child in node.pairs:
        if key.text in members:
            found.append(Found("is given twice", key, [key.text]))
            continue
        members[key.text] = None
        try:
            members[key.text] = to_plain(child)
        except Faults as faults:
            found += faults.below(key.text)
    if found:
        raise Faults(found)
    return members
