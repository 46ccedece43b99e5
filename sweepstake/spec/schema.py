"""The JSON Schema of specs, made from their classes: what an editor needs to complete and check a file."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, Final

from sweepstake.spec.constraints import Constraints
from sweepstake.spec.experiment import ExperimentSpec, RetrySpec
from sweepstake.spec.fields import Entry, table_of
from sweepstake.spec.parts import DataMount, DataSource, EnvVar, ImageSource, ResultSpec, TaskContext, TaskResources
from sweepstake.spec.records import Record
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tasks import TaskSpec

__all__ = ["json_schema", "schema_text"]

_PARTS: Final[tuple[type[Record], ...]] = (
    TaskSpec,
    ImageSource,
    EnvVar,
    DataMount,
    DataSource,
    ResultSpec,
    TaskResources,
    TaskContext,
    Constraints,
    RetrySpec,
    SweepSpec,
)
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+?)(?=^    \w+:|\Z)", re.MULTILINE | re.DOTALL)


def json_schema() -> dict[str, Any]:
    """Return the schema of a spec; all files that can be read are valid by it, but it cannot say all that is wrong."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiment spec of Sweepstake",
        **_object(ExperimentSpec),
        "$defs": {part.__name__: _object(part) for part in _PARTS},
    }


def schema_text() -> str:
    """Return the schema as the text that ships with the package."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _object(part: Any) -> dict[str, Any]:
    table = table_of(part)
    doc = inspect.cleandoc(part.__doc__ or "")
    meanings = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(doc.partition("Attributes:\n")[2])}
    properties = {
        spelling: _property(each, meanings[each.name])
        for each in table.entries
        for spelling in dict.fromkeys((each.wire, each.name))
    }
    conditions = [_given(each) for each in table.entries if each.required]
    if part.one_of:
        conditions.append({"oneOf": [_stated(spelling, each) for spelling, each in table.spellings.items()]})
    return {
        "type": "object",
        "description": doc.partition("\n\n")[0].replace("\n", " "),
        "properties": properties,
        "additionalProperties": {"anyOf": [table.rest.kind.schema, {"type": "null"}]} if table.rest else False,
        **({"allOf": conditions} if conditions else {}),
    }


def _property(entry: Entry, meaning: str) -> dict[str, Any]:
    """Return the schema of a field; what may be left out may also be null."""
    schema = entry.kind.schema if entry.required else {"anyOf": [entry.kind.schema, {"type": "null"}]}
    return {"description": meaning, **schema}


def _given(entry: Entry) -> dict[str, Any]:
    if entry.name == entry.wire:
        return {"required": [entry.name]}
    return {"anyOf": [{"required": [entry.wire]}, {"required": [entry.name]}]}


def _stated(spelling: str, entry: Entry) -> dict[str, Any]:
    return {"required": [spelling], "properties": {spelling: entry.kind.schema}}
