"""Records as JSON trees, and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import chain, islice, zip_longest
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import cattrs
from cattrs.fns import identity
from cattrs.gen import make_dict_unstructure_fn, override

from sweepstake.domain.lengths import MOST, check_length
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.schema import OMIT_DEFAULT, sent_name
from sweepstake.errors import InvalidInputError
from sweepstake.slices import read_json
from sweepstake.turns import sliced
from sweepstake.values import JsonItem, JsonObject

__all__ = ["MAX_PROBLEMS", "from_answer", "from_file", "from_tree", "to_texts", "to_tree"]

T = TypeVar("T")

#: Stands for a field that an object does not have.
_ABSENT: Final = object()
#: Values of these types are what they are; others, such as a whole number written as a fraction, are looked at.
_AS_THEY_ARE: Final = frozenset({str, bool, int, float, NoneType})
#: What is raised where a value is of the wrong type, such as by the validators of a record.
_FAULTS: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)

#: The most fields that the error of a call names. To name one costs a thousand times what it costs to send one.
MAX_PROBLEMS: Final = 20
#: The most fields that the error for a file of the user's own names.
_MAX_OF_FILE: Final = 1000
#: What is written for a value whose text is put in later. No text of a user's looks like it: a quote within a text
#: follows a backslash.
_HOLE: Final = re.compile(r'(?<=[A-Za-z]":)NaN')


def to_texts(record: object) -> Iterator[str]:
    """Yield a record as JSON, piece by piece.

    Values of users' are texts already: they are put in as they are, so that a large one costs nobody time. Items of a
    list are written one by one.
    """
    tree = _spliced.unstructure(record)
    lists = {name for name, value in tree.items() if type(value) is list and value and type(value[0]) is dict}
    if not lists:
        yield from _filled(tree)
        return
    mark = "{"
    for name, value in tree.items():
        yield f'{mark}"{name}":'
        yield from _listed(value) if name in lists else _filled(value)
        mark = ","
    yield "}"


def _listed(items: list[Any]) -> Iterator[str]:
    mark = "["
    for item in sliced(items):
        yield mark
        yield from _filled(item)
        mark = ","
    yield "]"


def _filled(tree: Any) -> Iterable[str]:
    """Return the text of a tree that holds texts of values, in pieces."""
    if isinstance(tree, JsonObject | JsonItem):
        return (tree.text,)
    texts: list[str] = []

    def keep(value: Any) -> float:
        texts.append(value.text)
        return math.nan

    frame = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=keep).encode(tree)
    if not texts:
        return (frame,)
    pieces = _HOLE.split(frame)
    assert len(pieces) == len(texts) + 1, "a record holds no other numbers that are not finite"
    return chain.from_iterable(zip_longest(pieces, texts, fillvalue=""))


def from_tree(tree: object, kind: type[T], path: str = "") -> T:
    """Make a record of data from outside; unknown fields are refused.

    Raises:
        InvalidInputError: names the fields that are wrong, with `path` in front: the first of them, if they are many.
    """
    try:
        return _strict.structure(tree, kind)
    except InvalidInputError as error:
        raise _named(error, path) from None


def from_file(tree: object, kind: type[T], path: str) -> T:
    """Make a record of what a file of the user's holds; as `from_tree`, but more of what is wrong is named."""
    try:
        return _of_files.structure(tree, kind)
    except InvalidInputError as error:
        raise _named(error, path, _MAX_OF_FILE) from None


def from_answer(tree: object, kind: type[T]) -> T:
    """Make a record of a server's answer; fields that only a newer server knows are passed over.

    Raises:
        InvalidInputError: names the fields that are wrong.
    """
    try:
        return _lenient.structure(tree, kind)
    except InvalidInputError as error:
        raise _named(error, "") from None


def _named(error: InvalidInputError, path: str, most: int = MAX_PROBLEMS) -> InvalidInputError:
    """Return an error that names so many fields at most, each with the path in front."""
    found = (error.under(path) if path else error).problems
    return InvalidInputError(found if len(found) <= most else (*found[:most], ("", "and more is wrong")))


def _make_converter(*, forbid_extra_keys: bool, most: int = MAX_PROBLEMS) -> cattrs.Converter:
    """Make a converter whose primitives are exact: nothing is turned into what it is not.

    Args:
        forbid_extra_keys: refuse fields that are unknown.
        most: how many items of a list may be wrong before the rest is not looked at.
    """
    converter = cattrs.Converter()
    converter.register_structure_hook_factory(
        attrs.has, lambda kind: _Object(converter, kind, most, forbid_extra_keys=forbid_extra_keys)
    )
    converter.register_structure_hook_factory(_is_tuple, lambda kind: _list(converter, kind, most))
    for kind, hook in _EXACT.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook(str | int, _text_or_whole)
    converter.register_structure_hook(JsonObject, lambda value, _: JsonObject.of(value, escaped=True))
    converter.register_unstructure_hook(JsonObject, JsonObject.wire)
    converter.register_unstructure_hook(JsonItem, lambda item: read_json(item.text))
    converter.register_structure_hook(SearchDefinition, lambda value, _: _search(value))
    converter.register_unstructure_hook(SearchDefinition, lambda search: {search.kind: read_json(search.params)})
    converter.register_unstructure_hook_factory(
        attrs.has, lambda kind: make_dict_unstructure_fn(kind, converter, **_differences(kind))
    )
    return converter


def _differences(kind: Any) -> dict[str, Any]:
    """Return what is said of the fields of a class that are not written as they are, or not under their own names."""
    found = {}
    for each in attrs.fields(kind):
        name = sent_name(each.name, each.metadata)
        if name != each.name:
            found[each.name] = override(omit=True) if name is None else override(rename=name)
        if OMIT_DEFAULT.items() <= each.metadata.items():
            found[each.name] = override(omit_if_default=True)
    return found


class _Object:
    """Reads an object as a record of a class.

    One function reads all of the fields, and takes what most of them hold as it is: a call for each would cost more
    than the rest.
    """

    def __init__(self, converter: cattrs.Converter, kind: Any, most: int, *, forbid_extra_keys: bool) -> None:
        self._make = get_origin(kind) or kind
        self._members = tuple(_members(converter, kind))
        self._names = {sent for sent, *_ in self._members}
        self._longest = {each.name: each.metadata[MOST] for each in attrs.fields(kind) if MOST in each.metadata}
        self._most = most
        self._forbid_extra_keys = forbid_extra_keys

    def __call__(self, value: Any, _: Any) -> Any:
        if self._longest or not isinstance(value, Mapping):
            self._count(value)
        values: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for sent, given, as_they_are, hook, hint, needed in self._members:
            found = value.get(sent, _ABSENT)
            if type(found) in as_they_are:
                values[given] = found
            elif found is not _ABSENT:
                try:
                    values[given] = found if hook is None else hook(found, hint)
                except _FAULTS as error:
                    faults += _at(error, sent)
            elif needed:
                faults.append((sent, "is missing"))
        if self._forbid_extra_keys and (unknown := value.keys() - self._names):
            faults += ((str(name), "is unknown here") for name in islice(sorted(unknown, key=str), self._most + 1))
        if faults:
            raise InvalidInputError(faults)
        try:
            return self._make(**values)
        except _FAULTS as error:
            raise InvalidInputError(_at(error, "")) from None

    def _count(self, value: Any) -> None:
        """Raise if it is no object, or a list in it has too many items, before anything in them is looked at."""
        if not isinstance(value, Mapping):
            raise _wrong("an object", value)
        for name, most in self._longest.items():
            items = value.get(name)
            if isinstance(items, list):
                check_length(items, most, name)


def _at(error: Exception, path: str) -> tuple[tuple[str, str], ...]:
    """Return what is wrong with the value at a path."""
    if isinstance(error, InvalidInputError):
        return (error.under(path) if path else error).problems
    return ((path, "has the wrong type"),)


def _members(converter: cattrs.Converter, kind: Any) -> Iterator[tuple[str, str, Any, Any, Any, bool]]:
    """Yield of each field that an object may have how it is read.

    That is: what it is called there, and where the record is made; the types of values that are taken as they are; what
    makes it of any other value, if that is not for the record to do, and its type; and whether it has to be there.
    """
    own = get_origin(kind) or kind
    hints = get_type_hints(own)
    for each in attrs.fields(own):
        sent = sent_name(each.name, each.metadata)
        if sent is None or not each.init:
            continue
        hint = hints[each.name]
        if getattr(hint, "__parameters__", ()):
            hint = hint[get_args(kind)]
        hook = None if each.converter else converter.get_structure_hook(hint)
        kinds = {hint, *get_args(hint)} & _AS_THEY_ARE if get_origin(hint) in (None, Union, UnionType) else ()
        yield sent, each.alias or each.name, tuple(kinds), hook, hint, each.default is attrs.NOTHING


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _list(converter: cattrs.Converter, kind: Any, most: int) -> Callable[[Any, Any], Any]:
    """Read a `tuple[T, ...]` from a JSON array; with so many wrong items, the rest is not looked at."""
    [of, *_] = get_args(kind)
    structure = converter.get_structure_hook(of)

    def check(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong("a list", value)
        if not value:
            return ()
        items = []
        faults: list[tuple[str, str]] = []
        wrong = 0
        for i, item in enumerate(sliced(value)):
            try:
                items.append(structure(item, of))
            except InvalidInputError as error:
                faults += error.under(f"[{i}]").problems[: most + 1]
                wrong += 1
                if wrong > most:
                    break
        if faults:
            raise InvalidInputError(faults)
        return tuple(items)

    return check


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("text", value)
    return value


def _member(value: Any, kind: type[StrEnum]) -> StrEnum:
    for member in kind:
        if member.value == value:
            return member
    raise InvalidInputError.at("", f"must be one of {', '.join(str(member) for member in kind)}")


def _truth(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def _whole(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        raise _wrong("a whole number", value)
    return int(value)


def _text_or_whole(value: Any, _: Any) -> str | int:
    return value if isinstance(value, str) else _whole(value, int)


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong("a number", value)
    try:
        return float(value)
    except OverflowError:
        raise InvalidInputError.at("", "must be a number that fits a 64-bit float") from None


_EXACT: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    StrEnum: _member,
    str: _text,
    bool: _truth,
    int: _whole,
    float: _number,
}


def _search(value: Any) -> SearchDefinition:
    """Read ``{kind: params}``, which a search itself makes sense of later."""
    if not isinstance(value, Mapping):
        raise _wrong("an object", value)
    if len(value) != 1:
        raise InvalidInputError.at("", f'must name one search, such as {{"Manual": null}}; has {len(value)} names')
    [(kind, params)] = value.items()
    return SearchDefinition(kind, JsonItem.from_wire(params).text)


def _wrong(wanted: str, value: object) -> InvalidInputError:
    return InvalidInputError.at("", f"must be {wanted}, not {_JSON_NAMES.get(type(value), type(value).__name__)}")


_JSON_NAMES: Final = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    type(None): "null",
    float: "a fraction",
    int: "a number",
}

_strict: Final = _make_converter(forbid_extra_keys=True)
_of_files: Final = _make_converter(forbid_extra_keys=True, most=_MAX_OF_FILE)
_lenient: Final = _make_converter(forbid_extra_keys=False)
#: Returns a record as plain data for JSON; non-finite numbers and ``$`` keys stay encoded.
to_tree: Final[Callable[[object], Any]] = _strict.unstructure


def _make_splicing() -> cattrs.Converter:
    """Make a converter that leaves values of users' as they are: as texts."""
    converter = _make_converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(JsonObject, identity)
    converter.register_unstructure_hook(JsonItem, identity)
    converter.register_unstructure_hook(SearchDefinition, lambda search: {search.kind: JsonItem(search.params)})
    converter.register_unstructure_hook_factory(_is_tuple, lambda kind: _written_one_by_one(converter, kind))
    return converter


def _written_one_by_one(converter: cattrs.Converter, kind: Any) -> Callable[[Any], list[Any]]:
    """Write the items of a list, and give way between many; texts are what they are."""
    if get_args(kind)[0] is str:
        return list
    return lambda items: [converter.unstructure(item) for item in sliced(items)]


_spliced: Final = _make_splicing()
