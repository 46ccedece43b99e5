"""JSON Schemas of searches, in Schedy's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["SEARCH_SCHEMAS"]

Schema = dict[str, Any]

_LARGEST: Final = 1.7976931348623157e308
_NUMBER: Final[Schema] = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
_POSITIVE: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST}
_NOT_NEGATIVE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": _LARGEST}
_VALUES: Final[Schema] = {"type": "array", "items": {}, "minItems": 1}
_BELOW: Final = "`low` must be less than `high`"


def _object(properties: Mapping[str, Schema], optional: Sequence[str] = (), description: str = "") -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return schema | ({"description": description} if description else {})


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _map(name: str) -> Schema:
    return {"type": "object", "additionalProperties": {"$ref": f"#/components/schemas/{name}"}}


_DISTRIBUTION: Final[Schema] = {
    "oneOf": [
        _object({"loguniform": _object({"low": _POSITIVE, "high": _POSITIVE}, description=_BELOW)}),
        _object({"uniform": _object({"low": _NUMBER, "high": _NUMBER}, description=_BELOW)}),
        _object(
            {
                "choice": _object(
                    {"values": _VALUES, "weights": _nullable({"type": "array", "items": _NOT_NEGATIVE})},
                    optional=["weights"],
                    description="There are as many weights as values, and their sum is greater than 0 and finite",
                )
            }
        ),
        _object({"normal": _object({"mean": _NUMBER, "std": _NOT_NEGATIVE})}),
        _object({"const": {}}),
    ]
}

_PERTURB: Final = _object(
    {"perturb": _object({"minFactor": _NOT_NEGATIVE, "maxFactor": _NOT_NEGATIVE})},
    description="`minFactor` must be less than `maxFactor`",
)

_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}

_PBT: Final = _object(
    {
        "objective": {"enum": ["min", "max"]},
        "qualityResultName": {"type": "string", "minLength": 1},
        "numParallel": _nullable({**_COUNT, "maximum": 10_000}),
        "init": _nullable(_map("Distribution")),
        "exploit": _object({"truncate": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}}),
        "explore": _nullable(_map("Perturb")),
        "maxGenerations": _nullable({**_COUNT, "maximum": 2**53}),
        "max_generations": _nullable({**_COUNT, "maximum": 2**53}),
    },
    optional=["numParallel", "init", "explore", "maxGenerations", "max_generations"],
    description="`init` needs `numParallel`; `max_generations` is another spelling of `maxGenerations`",
)

#: The named schemas of a definition's `scheduler`.
SEARCH_SCHEMAS: Final[Mapping[str, Schema]] = {
    "Distribution": _DISTRIBUTION,
    "Perturb": _PERTURB,
    "Scheduler": {
        "oneOf": [
            _object({"Manual": {"type": "null"}}),
            _object({"RandomSearch": _map("Distribution")}),
            _object({"Grid": {"type": "object", "additionalProperties": _VALUES}}),
            _object({"PBT": _PBT}),
        ]
    },
}
