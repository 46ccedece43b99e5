"""Records as JSON trees, and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import chain, islice, zip_longest
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from sweepstake.domain.lengths import MOST, check_length
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.schema import OMIT_DEFAULT, sent_name
from sweepstake.errors import InvalidInputError
from sweepstake.slices import read_json
from sweepstake.turns import sliced
from sweepstake.values import JsonItem, JsonObject

__all__ = ["MAX_PROBLEMS", "from_answer", "from_file", "from_tree", "to_texts", "to_tree"]

T = TypeVar("T")

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

#: The most fields that the error of a call names. To name one costs a thousand times what it costs to send one.
MAX_PROBLEMS: Final = 20
#: The most fields that the error for a file of the user's own names.
_MAX_OF_FILE: Final = 1000
#: What is written for a value whose text is put in later. No text of a user's looks like it: a quote within a text
#: follows a backslash.
_HOLE: Final = re.compile(r'(?<=[A-Za-z]":)NaN')


def to_tree(record: object) -> Any:
    """Return a record as plain data for JSON; non-finite numbers and ``$`` keys stay encoded."""
    return _strict.unstructure(record)


def to_texts(record: object) -> Iterator[str]:
    """Yield a record as JSON, piece by piece.

    Values of users' are texts already: they are put in as they are, so that a large one costs nobody time. Items of a
    list are written one by one.
    """
    tree = _spliced.unstructure(record)
    if not any(map(_is_list_of_objects, tree.values())):
        yield from _filled(tree)
        return
    mark = "{"
    for name, value in tree.items():
        yield f'{mark}"{name}":'
        yield from _listed(value) if _is_list_of_objects(value) else _filled(value)
        mark = ","
    yield "}"


def _listed(items: list[Any]) -> Iterator[str]:
    mark = "["
    for item in sliced(items):
        yield mark
        yield from _filled(item)
        mark = ","
    yield "]"


def _is_list_of_objects(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict


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
    return _structure(_strict, tree, kind, path)


def from_file(tree: object, kind: type[T], path: str) -> T:
    """Make a record of what a file of the user's holds; as `from_tree`, but more of what is wrong is named."""
    return _structure(_of_files, tree, kind, path, _MAX_OF_FILE)


def from_answer(tree: object, kind: type[T]) -> T:
    """Make a record of a server's answer; fields that only a newer server knows are passed over.

    Raises:
        InvalidInputError: names every field that is wrong.
    """
    return _structure(_lenient, tree, kind, "")


def _structure(converter: cattrs.Converter, tree: object, kind: type[T], path: str, most: int = MAX_PROBLEMS) -> T:
    try:
        return converter.structure(tree, kind)
    except (InvalidInputError, cattrs.BaseValidationError) as error:
        found = list(islice(_problems(error, path), most + 1))
        if len(found) > most:
            found[most:] = [("", "and more is wrong")]
        raise InvalidInputError(found) from None


def _problems(error: BaseException, path: str) -> Iterator[tuple[str, str]]:
    """Walk a tree of cattrs' faults and yield each with its path."""
    if isinstance(error, cattrs.ClassValidationError):
        attributes, others = error.group_exceptions()
        for fault, attribute in attributes:
            yield from _problems(fault, _join(path, _called(error.cl, attribute.name)))
    elif isinstance(error, cattrs.IterableValidationError):
        items, others = error.group_exceptions()
        for fault, item in items:
            yield from _problems(fault, f"{path}[{item.index}]")
    else:
        yield from _problem(error, path)
        return
    for fault in others:
        yield from _problems(fault, path)


def _called(kind: type, name: str) -> str:
    """Return what a field of a class is called in JSON."""
    found = attrs.fields_dict(kind).get(name) if attrs.has(kind) else None
    return name if found is None else sent_name(name, found.metadata) or name


def _problem(error: BaseException, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(error, InvalidInputError):
        yield from (error.under(path) if path else error).problems
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        yield from ((_join(path, str(name)), "is unknown here") for name in sorted(error.extra_fields, key=str))
    elif isinstance(error, KeyError):
        yield path, "is missing"
    else:
        yield path, "has the wrong type"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _make_converter(*, forbid_extra_keys: bool, most: int = MAX_PROBLEMS) -> cattrs.Converter:
    """Make a converter whose primitives are exact: nothing is turned into what it is not.

    Args:
        forbid_extra_keys: refuse fields that are unknown.
        most: how many items of a list may be wrong before the rest is not looked at.
    """
    converter = cattrs.Converter(forbid_extra_keys=forbid_extra_keys, prefer_attrib_converters=True)
    converter.register_structure_hook_factory(
        attrs.has, lambda kind: _object(make_dict_structure_fn(kind, converter, **_renames(kind)), _longest(kind))
    )
    converter.register_structure_hook_factory(_is_tuple, lambda kind: _list(converter, kind, most))
    for kind, hook in _EXACT.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook(str | int, _text_or_whole)
    converter.register_structure_hook(JsonObject, lambda value, _: JsonObject.from_wire(value))
    converter.register_unstructure_hook(JsonObject, JsonObject.wire)
    converter.register_unstructure_hook(JsonItem, lambda item: read_json(item.text))
    converter.register_structure_hook(SearchDefinition, lambda value, _: _search(value))
    converter.register_unstructure_hook(SearchDefinition, lambda search: {search.kind: read_json(search.params)})
    converter.register_unstructure_hook_factory(
        attrs.has, lambda kind: make_dict_unstructure_fn(kind, converter, **_differences(kind))
    )
    return converter


def _renames(kind: Any) -> dict[str, Any]:
    """Return what is said of the fields of a class that are called otherwise in JSON, or are not there."""
    names = {each.name: sent_name(each.name, each.metadata) for each in attrs.fields(kind)}
    return {
        field: override(omit=True) if name is None else override(rename=name)
        for field, name in names.items()
        if name != field
    }


def _differences(kind: Any) -> dict[str, Any]:
    """Return what is said of the fields of a class that are not written as they are."""
    omitted = [each.name for each in attrs.fields(kind) if OMIT_DEFAULT.items() <= each.metadata.items()]
    return {**_renames(kind), **{name: override(omit_if_default=True) for name in omitted}}


def _longest(kind: type) -> Mapping[str, int]:
    """Return how many items the lists of a class may have, where it says so."""
    return {each.name: each.metadata[MOST] for each in attrs.fields(kind) if MOST in each.metadata}


def _object(structure: Callable[[Any, Any], Any], longest: Mapping[str, int] = _NOTHING) -> Callable[[Any, Any], Any]:
    """Read an object, whose lists are counted before anything in them is looked at."""

    def check(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong("an object", value)
        for name, most in longest.items():
            items = value.get(name)
            if isinstance(items, list):
                check_length(items, most, name)
        return structure(value, kind)

    return check


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _list(converter: cattrs.Converter, kind: Any, most: int) -> Callable[[Any, Any], Any]:
    """Read a `tuple[T, ...]` from a JSON array; with so many wrong items, the rest is not looked at."""
    [of, *_] = get_args(kind)
    structure = converter.get_structure_hook(of)

    def check(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong("a list", value)
        items = []
        faults: list[tuple[str, str]] = []
        wrong = 0
        for i, item in enumerate(sliced(value)):
            try:
                items.append(structure(item, of))
            except (InvalidInputError, cattrs.BaseValidationError) as error:
                faults += islice(_problems(error, f"[{i}]"), most + 1)
                wrong += 1
                if wrong > most:
                    break
        if faults:
            raise InvalidInputError(faults)
        return tuple(items)

    return check


def _text(value: Any, kind: Any) -> str:
    if kind is not str:  # cattrs asks this of a StrEnum too
        return _member(value, kind)
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


_EXACT: Final[Mapping[type, Callable[[Any, Any], Any]]] = {str: _text, bool: _truth, int: _whole, float: _number}


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


def _make_splicing() -> cattrs.Converter:
    """Make a converter that leaves values of users' as they are: as texts."""
    converter = _make_converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(JsonObject, lambda value: value)
    converter.register_unstructure_hook(JsonItem, lambda value: value)
    converter.register_unstructure_hook(SearchDefinition, lambda search: {search.kind: JsonItem(search.params)})
    converter.register_unstructure_hook_factory(
        _is_tuple, lambda _: lambda items: [converter.unstructure(item) for item in sliced(items)]
    )
    return converter


_spliced: Final = _make_splicing()
