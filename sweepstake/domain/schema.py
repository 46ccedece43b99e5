"""Words in which JSON Schemas are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import Attribute

from sweepstake.domain.addresses import MAX_CALLED
from sweepstake.domain.keys import ATTEMPT_PATTERN, KEY_PATTERN
from sweepstake.domain.names import MAX_NAME, MAX_NOTES, MAX_TAGS

__all__ = [
    "CAUSES",
    "LINES",
    "OMIT_DEFAULT",
    "SCALARS",
    "Schema",
    "check_of_arriving",
    "checked",
    "checked_arriving",
    "closed",
    "count",
    "each",
    "items",
    "narrowed",
    "nullable",
    "ref",
    "schema_of",
    "seconds",
    "sent_as",
    "sent_name",
]

Schema = dict[str, Any]

#: The longest duration, in seconds.
_MAX_SECONDS: Final = 10**9
_MAX_COUNT: Final = 2**53
_PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
#: The pattern of text that may have line breaks and tabs.
LINES: Final = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"


#: Metadata of a field that is left out while it has its default: what older servers do not know, they refuse.
OMIT_DEFAULT: Final[Mapping[str, bool]] = {"sweepstake_omit_default": True}
_SCHEMA: Final = "schema"
_SENT_AS: Final = "sent_as"
_ARRIVING: Final = "arriving"


def narrowed(schema: Schema) -> Mapping[str, Schema]:
    """Return the metadata of a field that accepts less than its type says."""
    return {_SCHEMA: schema}


def schema_of(metadata: Mapping[Any, Any]) -> Schema | None:
    """Return what a field accepts, where that is less than its type says."""
    found: Schema | None = metadata.get(_SCHEMA)
    return found


def checked(check: Callable[[Any, str], object]) -> Any:
    """Return the validator of a field whose check takes the value and the field's name."""
    return lambda _, attribute, value: check(value, attribute.name)


def checked_arriving(check: Callable[[Any, str], object] | None) -> Mapping[str, Any]:
    """Return the metadata of a field that is checked in bodies that arrive, unless it is the default.

    A value that this process makes itself, such as its own name or the key of a claim, needs no check with each call.
    The check takes the value and the field's name.
    """
    return {_ARRIVING: check}


def check_of_arriving(attribute: Attribute[Any]) -> Callable[[Any, str], object] | None:
    """Return what checks a field in bodies that arrive, beyond its validator."""
    found: Callable[[Any, str], object] | None = attribute.metadata.get(_ARRIVING)
    return found


def sent_as(name: str | None) -> Mapping[str, str | None]:
    """Return the metadata of a field that has another name in JSON; None: it is not there."""
    return {_SENT_AS: name}


def sent_name(field_name: str, metadata: Mapping[Any, Any]) -> str | None:
    """Return what a field is called in JSON; None: it is not there."""
    name: str | None = metadata.get(_SENT_AS, field_name)
    return name


def ref(name: str) -> Schema:
    """Return a reference to the named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return the schema of what may be null as well."""
    return {"anyOf": [schema, {"type": "null"}]}


def seconds(low: float) -> Schema:
    """Return the schema of a duration of at least so many seconds."""
    return {"type": "number", "minimum": low, "maximum": _MAX_SECONDS}


def count(low: int, high: int = _MAX_COUNT) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": low, "maximum": high}


def items(item: str, most: int) -> Schema:
    """Return the schema of a list of at most so many of a kind."""
    return {"type": "array", "items": ref(item), "maxItems": most}


def closed(properties: Mapping[str, Schema], optional: Sequence[str] = (), description: str = "") -> Schema:
    """Return the schema of an object that has these properties and no others."""
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return schema | ({"description": description} if description else {})


def each(schema: Schema) -> Schema:
    """Return the schema of an object whose members all have this one."""
    return {"type": "object", "additionalProperties": schema}


#: What an exception is called, or an exit code.
CAUSES: Final[Schema] = {
    "type": "array",
    "items": {"anyOf": [{"allOf": [ref("Notes"), {"minLength": 1}]}, {"type": "integer"}]},
}

#: The named schemas of single values.
SCALARS: Final[Mapping[str, Schema]] = {
    "Name": {
        "type": "string",
        "description": "Any text without control characters, but not `.` or `..`",
        "minLength": 1,
        "maxLength": MAX_NAME,
        "pattern": _PLAIN,
        "not": {"enum": [".", ".."]},
    },
    "Called": {
        "description": "The name of an experiment, or its owner, a slash and its name",
        "anyOf": [
            ref("Name"),
            {"type": "string", "maxLength": MAX_CALLED, "allOf": [{"pattern": _PLAIN}, {"pattern": "/"}]},
        ],
    },
    "Notes": {
        "type": "string",
        "description": "Text without control characters, except line breaks and tabs",
        "maxLength": MAX_NOTES,
        "pattern": LINES,
    },
    "Key": {
        "type": "string",
        "description": "An op key: a UUIDv7 in lower-case base32hex; the client makes one for each write",
        "pattern": f"^{KEY_PATTERN}$",
    },
    "AttemptKey": {
        "type": "string",
        "description": "The key of the claim that began the attempt; of one without a lease, the etag of the PUT",
        "pattern": f"^{ATTEMPT_PATTERN}$",
    },
    "Tags": {"type": "array", "items": ref("Name"), "maxItems": MAX_TAGS},
    "JsonObject": {
        "type": "object",
        "description": 'Any JSON object. Non-finite numbers are `{"$number": "NaN"}`, `"Infinity"` or `"-Infinity"`; '
        "keys that begin with `$` gain one more.",
        "additionalProperties": True,
    },
    "Bytes": {"type": "string", "format": "binary", "description": "Bytes as they are"},
    "Label": {"anyOf": [{"const": ""}, ref("Name")]},
}
