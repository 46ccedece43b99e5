"""Records of a spec: what reads, checks and writes them, all by the table of their fields."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar

import attrs
import cattrs
from attrs import define

from sweepstake.errors import FrozenSpecError, SpecError
from sweepstake.plaintext import with_article
from sweepstake.spec.fields import Entry, Table, camel, table_of, unknown
from sweepstake.spec.kinds import Kind, list_of, problems_of
from sweepstake.spec.scalars import NULLS
from sweepstake.spec.tree import Faults, Found, ListNode, MapNode, Node, Scalar, described, from_plain

__all__ = [
    "Partial",
    "Record",
    "changed_by",
    "located",
    "made_of",
    "read_record",
    "record_of",
    "records_of",
    "told",
    "unknown_names",
]

R = TypeVar("R", bound="Record")
C = TypeVar("C", bound=type)

_set: Final = object.__setattr__


class Record:
    """What all parts of a spec have: they are checked when they are made, and cross as JSON."""

    __slots__ = ()

    #: Whether exactly one of its fields is to be given.
    one_of: ClassVar[bool] = False

    def __attrs_post_init__(self) -> None:
        """Check every field, and keep it in the form that it has from now on."""
        values = {name: getattr(self, name) for name in table_of(_class_of(self)).all}
        found = _settle(_class_of(self), values)
        if found:
            raise told(found)
        for name, value in values.items():
            _set(self, name, value)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Check fields against each other, and fill in what follows from them.

        Args:
            values: each field that could be made, in the form that it has from now on. What is made in part only is
                a `Partial`, so that a file is told all of its faults at once.
            bad: the fields that were given, but are wrong by themselves.
        """
        return ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make one of JSON data, with the names of fields in either spelling.

        Raises:
            SpecError: lists everything that is wrong.
        """
        try:
            return read_record(from_plain(data), cls)
        except Faults as faults:
            raise told(faults.found) from None

    def to_json(self) -> dict[str, Any]:
        """Return JSON data with the names that files have; what is unset is left out."""
        data: dict[str, Any] = converter.unstructure(self)
        return data


def unknown_names(kind: type, given: Iterable[str]) -> list[Found]:
    """Tell which of the names that code gave are none of a record's fields."""
    return [Found(unknown(word, kind, in_code=True), None, [word]) for word in given if word not in table_of(kind).all]


def made_of(kind: type[R], given: Mapping[str, Any]) -> R:
    """Make a record of the fields that code gave by name, such as to a `with_*`.

    Raises:
        SpecError: lists everything that is wrong, also names that are none of its fields.
    """
    found = unknown_names(kind, given)
    if found:
        raise told(found)
    return kind(**given)


def changed_by(owner: str) -> Any:
    """Refuse assignments to a class, by naming what to use: its own `with_*`, or what `owner` says.

    Args:
        owner: what returns a changed spec for fields that say nothing of that themselves; ``{}`` is the field.
    """

    def decorate(kind: C) -> C:
        def refuse(self: object, name: str, value: object = None) -> NoReturn:  # noqa: ARG001 -- what was assigned
            entry = table_of(kind).spellings.get(name)
            way = entry.changer if entry is not None and entry.changer else owner.format(name)
            raise FrozenSpecError(f"{kind.__name__}.{name} cannot be assigned to; {way} returns a changed copy")

        for method in ("__setattr__", "__delattr__"):  # attrs has its own for frozen classes
            setattr(kind, method, refuse)
        return kind

    return decorate


def _class_of(record: Record) -> Any:
    return type(record)


class Partial:
    """What could be made of a record with faults: its good fields, and None for all others."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        """Return a field that is good."""
        return self._values.get(name)


def _settle(kind: Any, values: dict[str, Any], wrong: Collection[str] = ()) -> list[Found]:
    """Bring fields that are given into the form that they have from now on; return what is wrong with them."""
    found: list[Found] = []
    bad = set(wrong)
    entries = table_of(kind).all
    for name, value in values.items():
        if name in bad:
            continue
        entry = entries[name]
        if value is None and not entry.required:
            values[name] = entry.absent()
            continue
        try:
            values[name] = entry.kind.take(value)
        except (ValueError, Faults) as error:
            found += error.found if entry.spread and isinstance(error, Faults) else problems_of(error, name)
            values[name] = None
            bad.add(name)
    found += kind.settle(values, bad)
    return found


def told(found: Iterable[Found], file: str | None = None) -> SpecError:
    """Return the error that tells these faults, in the order of their file."""
    faults = [each.told(file) for each in found]
    return SpecError(sorted(faults, key=lambda each: (each.line or 0, each.column or 0)))


def read_record(node: Node, kind: type[R]) -> R:
    """Make a record of a tree, or raise `Faults` with all that is wrong below it."""
    made: R = converter.structure(node, kind)
    return made


@define
class _Reading:
    """A mapping on its way to be a record: what was made of its members, and what is wrong with them."""

    values: dict[str, Any] = attrs.field(factory=dict)
    #: Members of the mapping that are no fields, where any name is possible.
    rest: dict[str, Any] = attrs.field(factory=dict)
    #: Fields of which no good value could be made.
    bad: set[str] = attrs.field(factory=set)
    found: list[Found] = attrs.field(factory=list)


def _structure(node: Any, kind: Any) -> Any:
    """Make a record of a mapping; cattrs calls this for every class of records."""
    if type(node) is not MapNode:
        raise Faults.at(node, f"must be a mapping of names to values, not {described(node)}")
    table = table_of(kind)
    reading = _members(node, kind, table)
    values, bad, found = reading.values, reading.bad, reading.found
    if table.rest is not None:
        values[table.rest.name] = {name: value for name, value in reading.rest.items() if name not in bad}
    found += [Found(f"is missing {entry.wire!r}", node) for entry in table.required if entry.name not in values]
    found += [_placed(each, node) for each in _settle(kind, values, bad)]
    if found:
        raise Faults(found, Partial(values))
    return _made(kind, values)


def _members(node: MapNode, kind: type[Any], table: Table) -> _Reading:
    reading = _Reading()
    given: set[str] = set()
    for key, child in node.pairs:
        word = key.text
        entry = table.spellings.get(word) or table.rest
        if entry is None:
            reading.found.append(Found(unknown(word, kind), key, [word]))
            continue
        name = word if entry.spread else entry.name
        if name in given:
            reading.found.append(Found(_twice(entry), key, [word]))
            continue
        given.add(name)
        if type(child) is Scalar and child.plain and child.text in NULLS:
            continue
        try:
            value = entry.kind.read(child)
        except Faults as faults:
            reading.found += faults.below(word)
            reading.bad.add(name)
            value = faults.partial
        (reading.rest if entry.spread else reading.values)[name] = value
    return reading


def _made(kind: Any, values: dict[str, Any]) -> Any:
    """Make a record of fields that are checked already."""
    record = kind.__new__(kind)
    for name, default in table_of(kind).unset:
        value = values.get(name)
        if value is None and default is not None:
            value = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
        _set(record, name, value)
    return record


def _twice(entry: Entry) -> str:
    if entry.spread or entry.name == entry.wire:
        return "is given twice"
    return f"is given twice; {entry.wire} and {entry.name} are one field"


def _placed(found: Found, root: MapNode) -> Found:
    """Return a fault that names its place by fields as one that knows it in the file, by the words that stand there."""
    node, steps = located(root, found.steps)
    return Found(found.problem, node, steps)


def located(root: Node, steps: list[str | int]) -> tuple[Node, list[str | int]]:
    """Follow steps, the last first, as far as a tree goes; return where they lead, and the steps as written there."""
    node: Node = root
    written: list[str | int] = []
    for step in reversed(steps):
        word: str | int = step
        if isinstance(node, MapNode) and isinstance(step, str):
            word, node = node.member(step, camel(step)) or (camel(step), node)
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        written.insert(0, word)
    return node, written


def _unstructure(record: Record) -> dict[str, Any]:
    table = table_of(_class_of(record))
    data: dict[str, Any] = {}
    for entry in table.entries:
        value = getattr(record, entry.name)
        if value is None or (not entry.always and not entry.required and value == entry.absent()):
            continue
        written = entry.kind.write(value)
        if written is not None:
            data[entry.wire] = written
    if table.rest is not None:
        data.update(table.rest.kind.write(getattr(record, table.rest.name)))
    return data


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record)


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter()
    made.register_structure_hook_func(_is_record, _structure)
    made.register_unstructure_hook_func(_is_record, _unstructure)
    return made


converter: Final = _make_converter()


def record_of(kind: type[Record]) -> Kind:
    """Return the kind of a field that holds a record; a dict of its fields is made one."""

    def take(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if isinstance(value, Mapping):
            return read_record(from_plain(value), kind)
        raise ValueError(f"must be {kind.__name__}(...), not {with_article(type(value).__name__)}")

    return Kind(
        {"$ref": f"#/$defs/{kind.__name__}"}, lambda node: read_record(node, kind), take, lambda value: value.to_json()
    )


def records_of(kind: type[Record], wanted: str) -> Kind:
    """Return the kind of a field that holds a list of records."""
    return list_of(record_of(kind), wanted)
