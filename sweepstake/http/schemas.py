"""JSON Schemas of every body: derived from the classes, and narrowed where a field accepts less than its type says."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from sweepstake.domain.batches.records import BatchDraft
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.records import (
    Blocked,
    Document,
    ExperimentDraft,
    ExperimentRecord,
    JobRecord,
    SearchDefinition,
    Unranked,
)
from sweepstake.domain.schema import OMIT_DEFAULT, SCALARS, Schema, nullable, ref, schema_of, sent_name
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.queue.calls import CALLS, LOGINS
from sweepstake.search import SEARCH_SCHEMAS
from sweepstake.values import JsonObject
from sweepstake.wire.problems import Problem

__all__ = ["SCHEMAS"]

_VERBS: Final = (*CALLS.values(), *LOGINS)
_REQUESTS: Final = [kind.parts.body.kind for kind in _VERBS if kind.parts.body is not None]
#: Pages, which are no classes of their own, are described below.
_ANSWERS: Final = [body for kind in _VERBS for body in kind.answers.kinds if get_origin(body) is None]
#: What a class is called where that is not its own name.
_NAMES: Final[Mapping[type, str]] = {
    BatchDraft: "NewBatch",
    Document: "PutJob",
    ExperimentDraft: "PutExperiment",
    ExperimentRecord: "Experiment",
    JobDraft: "NewJob",
    JobRecord: "Job",
    SearchDefinition: "Scheduler",
    SpecDraft: "PutSpec",
    JsonObject: "JsonObject",
}


def _name(kind: type) -> str:
    return _NAMES.get(kind, kind.__name__.removesuffix("Record"))


class _Deriver:
    """Collects the schemas of classes and of the classes that they mention."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {**SCALARS, **SEARCH_SCHEMAS}

    def add(self, kind: type, *, answer: bool) -> None:
        """Derive the schema of a class, unless it is there."""
        name = _name(kind)
        if name in self.schemas:
            return
        self.schemas[name] = {}  # stands in while the class mentions itself
        hints = get_type_hints(kind)
        properties, required = {}, []
        for each in attrs.fields(kind):
            sent = sent_name(each.name, each.metadata)
            if sent is None:
                continue
            properties[sent] = schema_of(each.metadata) or self._of(hints[each.name], answer=answer)
            always = answer and not OMIT_DEFAULT.items() <= each.metadata.items()
            if always or each.default is attrs.NOTHING:
                required.append(sent)
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
        "properties": {"items": {"type": "array", "items": ref(item)}, "next": nullable({"type": "string"}), **more},
        "required": ["items", "next"],
        "additionalProperties": False,
    }


def _derive() -> dict[str, Schema]:
    deriver = _Deriver()
    for kind in _REQUESTS:
        deriver.add(kind, answer=False)
    for kind in (*_ANSWERS, Problem, Unranked, Blocked):
        deriver.add(kind, answer=True)
    pages = {
        "BatchPage": _page("Batch"),
        "BlockedPage": _page("Blocked"),
        "ExperimentPage": _page("Experiment"),
        "JobPage": _page("Job", unranked=ref("Unranked")),
    }
    return deriver.schemas | pages


#: Every named schema.
SCHEMAS: Final[Mapping[str, Schema]] = _derive()
