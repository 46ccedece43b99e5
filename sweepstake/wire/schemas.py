"""JSON Schemas of every body: derived from the classes, and narrowed where a class checks more than its types say."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from sweepstake.domain.access import Access
from sweepstake.domain.addresses import MAX_CALLED
from sweepstake.domain.dependencies import MAX_DEPENDENCIES
from sweepstake.domain.duplicates import Added
from sweepstake.domain.keys import ATTEMPT_PATTERN, KEY_PATTERN
from sweepstake.domain.names import MAX_IDS, MAX_NAME, MAX_NOTES, MAX_TAGS
from sweepstake.domain.portable import (
    MAX_PART,
    ExportPage,
    ImportPart,
    PortableAttempt,
    PortableDependency,
    PortableEvent,
    PortableExperiment,
    PortableJob,
    Totals,
)
from sweepstake.domain.queueing import MAX_INSTANT, MAX_PRIORITY, QueueingChanges
from sweepstake.domain.records import Claim, ExperimentRecord, Finished, JobRecord, NoJob, SearchDefinition, Unranked
from sweepstake.domain.settings import Settings
from sweepstake.domain.situation import Why
from sweepstake.ports import MAX_BULK, Counts
from sweepstake.values import JsonObject
from sweepstake.wire.bodies import (
    MAX_BEATS,
    MAX_CAUSES,
    MAX_SECRET,
    REPORTS,
    Attempts,
    Beats,
    ClaimRequest,
    ClientConfig,
    Credentials,
    Dependencies,
    FinishRequest,
    Health,
    HeartbeatRequest,
    NewJob,
    NewJobs,
    PutExperiment,
    PutJob,
    Token,
)
from sweepstake.wire.members import MAX_LIFETIME, MadeToken, NewShare, NewToken, Tokens
from sweepstake.wire.problems import Problem
from sweepstake.wire.searches import SEARCH_SCHEMAS

__all__ = ["SCHEMAS", "Schema", "ref"]

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """Return a reference to the named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


#: The last second of a duration, of the settings.
_MAX_SECONDS: Final = 10**9
_MAX_COUNT: Final = 2**53
_PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_LINES: Final = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"

_SCALARS: Final[Mapping[str, Schema]] = {
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
        "pattern": _LINES,
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
    "Label": {"anyOf": [{"const": ""}, ref("Name")]},
}


def _seconds(low: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": _MAX_SECONDS}


def _count(low: int, high: int = _MAX_COUNT) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _many(item: str) -> Schema:
    return {"type": "array", "items": ref(item), "maxItems": MAX_PART}


_INSTANT: Final[Schema] = {"type": "number", "minimum": 0, "maximum": MAX_INSTANT}
_ETAG: Final[Schema] = {"type": "string", "pattern": "^[!#-~]{1,255}$"}
_SECRET: Final[Schema] = {"type": "string", "maxLength": MAX_SECRET}
_NAMED_JOB: Final[Mapping[str, Schema]] = {"tags": ref("Tags"), "notes": ref("Notes")}
_CAUSES: Final[Schema] = {
    "type": "array",
    "items": {"anyOf": [{"allOf": [ref("Notes"), {"minLength": 1}]}, {"type": "integer"}]},
}

#: What the fields of a class accept, where that is less than their types say.
_NARROWED: Final[Mapping[type, Mapping[str, Schema]]] = {
    Settings: {
        "lease": _seconds(0.1),
        "timeout": _nullable(_seconds(0.001)),
        "max_attempts": _count(1),
        "max_lost": _count(0),
        "max_preemptions": _nullable(_count(0)),
        "retry_delay": _seconds(0),
        "no_retry_on": _CAUSES,
        "max_running": _nullable(_count(0)),
        "max_jobs": _nullable(_count(0)),
        "objective": _nullable({"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": _LINES}),
        "seed": _nullable(_count(-_MAX_COUNT)),
        **_NAMED_JOB,
    },
    NewJob: {
        "id": _nullable(ref("Name")),
        "priority": _count(-MAX_PRIORITY - 1, MAX_PRIORITY),
        "not_before": _nullable(_INSTANT),
        "depends_on": {
            "type": "array",
            "description": "Ids of jobs of the experiment, or of this call, that must be DONE before",
            "items": ref("Name"),
            "maxItems": MAX_DEPENDENCIES,
        },
        "prune_with": {
            "type": "boolean",
            "description": "PRUNED, while QUEUED, when a job that it depends on becomes CRASHED or PRUNED",
        },
        **_NAMED_JOB,
    },
    QueueingChanges: {
        "priority": _count(-MAX_PRIORITY - 1, MAX_PRIORITY),
        "not_before": _nullable(_INSTANT),
        **_NAMED_JOB,
    },
    NewJobs: {"jobs": {"type": "array", "items": ref("NewJob"), "maxItems": MAX_BULK}},
    ClaimRequest: {
        "worker": ref("Label"),
        "ids": {"type": "array", "items": ref("Name"), "maxItems": MAX_IDS},
    },
    FinishRequest: {
        "attempt": ref("AttemptKey"),
        "outcome": {"enum": list(REPORTS)},
        "causes": {**_CAUSES, "maxItems": MAX_CAUSES},
        "claim": _nullable(ref("Key")),
        "worker": ref("Label"),
    },
    PortableExperiment: {"proposals": _count(0), "created": _count(0), "created_at": _INSTANT},
    PortableAttempt: {
        "number": _count(1, MAX_PRIORITY),
        "key": _ETAG,
        "worker": ref("Label"),
        "lease": _nullable(_seconds(0)),
        "started_at": _INSTANT,
        "ended_at": _nullable(_INSTANT),
        "finish_key": _nullable(_ETAG),
    },
    PortableJob: {
        "id": ref("Name"),
        "priority": _count(-MAX_PRIORITY - 1, MAX_PRIORITY),
        "not_before": _nullable(_INSTANT),
        "worker": _nullable(ref("Label")),
        "failures": _count(0, MAX_PRIORITY),
        "losses": _count(0, MAX_PRIORITY),
        "preemptions": _count(0, MAX_PRIORITY),
        "created_at": _INSTANT,
        "started_at": _nullable(_INSTANT),
        "ended_at": _nullable(_INSTANT),
        **_NAMED_JOB,
    },
    PortableDependency: {"job": ref("Name"), "on": ref("Name")},
    PortableEvent: {
        "at": _INSTANT,
        "verb": {"allOf": [ref("Name"), {"maxLength": 64}]},
        "job": ref("Label"),
        "key": _ETAG,
        "detail": {"type": "string", "maxLength": 4096},
    },
    Totals: {word: _count(0) for word in ("jobs", "attempts", "dependencies", "events")},
    ImportPart: {
        "id": ref("Key"),
        "number": _count(0, MAX_PRIORITY),
        "jobs": _many("PortableJob"),
        "dependencies": _many("PortableDependency"),
        "events": _many("PortableEvent"),
    },
    HeartbeatRequest: {"attempts": {"type": "array", "items": ref("AttemptKey"), "maxItems": MAX_BEATS}},
    Credentials: {"email": _SECRET, "token": _SECRET},
    NewToken: {
        "name": ref("Label"),
        "lifetime": _nullable({"type": "number", "minimum": 1, "maximum": MAX_LIFETIME}),
    },
}
_RENAMED: Final[Mapping[type, Mapping[str, str]]] = {ExperimentRecord: {"search": "scheduler"}}
#: Fields that are sent only when they say something.
_OPTIONAL: Final[Mapping[type, frozenset[str]]] = {Problem: frozenset({"errors", "reason"})}
_REQUESTS: Final[tuple[type, ...]] = (
    PutExperiment,
    NewJob,
    NewJobs,
    PutJob,
    QueueingChanges,
    ClaimRequest,
    FinishRequest,
    HeartbeatRequest,
    ImportPart,
    Credentials,
    NewToken,
    NewShare,
)
_ANSWERS: Final[tuple[type, ...]] = (
    Access,
    Added,
    Attempts,
    Beats,
    Claim,
    ClientConfig,
    Counts,
    Dependencies,
    ExperimentRecord,
    ExportPage,
    Finished,
    Health,
    JobRecord,
    MadeToken,
    NoJob,
    Problem,
    Token,
    Why,
    Tokens,
    Unranked,
)
#: What a class is called where that is not its own name.
_NAMES: Final[Mapping[type, str]] = {
    ExperimentRecord: "Experiment",
    JobRecord: "Job",
    SearchDefinition: "Scheduler",
    JsonObject: "JsonObject",
}


def _name(kind: type) -> str:
    return _NAMES.get(kind, kind.__name__.removesuffix("Record"))


class _Deriver:
    """Collects the schemas of classes and of the classes that they mention."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {**_SCALARS, **SEARCH_SCHEMAS}

    def add(self, kind: type, *, answer: bool) -> None:
        """Derive the schema of a class, unless it is there."""
        name = _name(kind)
        if name in self.schemas:
            return
        self.schemas[name] = {}  # stands in while the class mentions itself
        narrowed = _NARROWED.get(kind, {})
        renamed = _RENAMED.get(kind, {})
        hints = get_type_hints(kind)
        properties = {
            renamed.get(each.name, each.name): narrowed.get(each.name) or self._of(hints[each.name], answer=answer)
            for each in attrs.fields(kind)
        }
        required = [
            renamed.get(each.name, each.name)
            for each in attrs.fields(kind)
            if (answer and each.name not in _OPTIONAL.get(kind, ())) or each.default is attrs.NOTHING
        ]
        self.schemas[name] = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            self.schemas[name]["required"] = required
        if kind.__doc__:
            self.schemas[name]["description"] = kind.__doc__.split("\n\n")[0].strip()

    def _of(self, hint: Any, *, answer: bool) -> Schema:
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self._of(each, answer=answer) for each in get_args(hint)]}
        if origin is tuple:
            return {"type": "array", "items": self._of(get_args(hint)[0], answer=answer)}
        if hint in _PRIMITIVES:
            return {"type": _PRIMITIVES[hint]}
        if issubclass(hint, Enum):
            return {"enum": [member.value for member in hint]}
        self.add(hint, answer=answer)
        return ref(_name(hint))


_PRIMITIVES: Final = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _page(item: str, **more: Schema) -> Schema:
    return {
        "type": "object",
        "description": "Part of a listing, and the `start` of the next part (null at the end)",
        "properties": {"items": {"type": "array", "items": ref(item)}, "next": _nullable({"type": "string"}), **more},
        "required": ["items", "next"],
        "additionalProperties": False,
    }


def _derive() -> dict[str, Schema]:
    deriver = _Deriver()
    for kind in _REQUESTS:
        deriver.add(kind, answer=False)
    for kind in _ANSWERS:
        deriver.add(kind, answer=True)
    pages = {"ExperimentPage": _page("Experiment"), "JobPage": _page("Job", unranked=ref("Unranked"))}
    return deriver.schemas | pages


#: Every named schema.
SCHEMAS: Final[Mapping[str, Schema]] = _derive()
