"""The JSON Schema: made from the classes, shipped with the package, and as strict as it can be."""

from importlib import resources
from typing import Any

import jsonschema
import pytest

from sweepstake.spec.schema import json_schema, schema_text

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_one() -> None:
    """By the rules of JSON Schema itself."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_shipped_schema_is_that_of_the_classes() -> None:
    """To make it again: ``sweepstake.spec.schema.schema_text()``, written to ``sweepstake/spec/schema.json``."""
    assert resources.files("sweepstake.spec").joinpath("schema.json").read_text(encoding="utf-8") == schema_text()


def test_every_field_has_a_meaning() -> None:
    """Editors show it."""
    schema = json_schema()
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert all(field["description"] for field in part["properties"].values())


TASK: dict[str, Any] = {"name": "t", "image": {"docker": "a"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"image": {}},
        {"image": {"docker": "a", "beaker": "b"}},
        {"command": "python"},
        {"command": [None]},
        {"envVars": [{"value": "a"}]},
        {"envVars": [{"name": "A=B"}]},
        {"datasets": [{"source": {"weka": "a"}}]},
        {"datasets": [{"mountPath": "a", "source": {"weka": "a"}}]},
        {"datasets": [{"mountPath": "/a", "source": {}}]},
        {"datasets": [{"mountPath": "/a", "source": {"host_path": "/b", "weka": "a"}}]},
        {"resources": {"gpuCount": -1}},
        {"resources": {"memory": "5 GB"}},
        {"timeout": "-5m"},
        {"hostNetworking": "yes"},
        {"context": {"priority": "asap"}},
        {"constraints": {"gpu": [["a"]]}},
        {"sweep": {"maxJobs": 0}},
        {"unknown": 1},
    ],
)
def test_what_cannot_be_read_is_not_valid(fields: dict[str, Any]) -> None:
    """As far as a schema can say it."""
    assert VALIDATOR.is_valid({"tasks": [TASK]})
    assert not VALIDATOR.is_valid({"tasks": [{**TASK, **fields}]})


@pytest.mark.parametrize("data", [[], {"version": "v1"}, {"tasks": {}}, {"tasks": [{"name": "a"}]}, {"Version": "v2"}])
def test_what_is_no_spec_is_not_valid(data: Any) -> None:
    """At the top."""
    assert not VALIDATOR.is_valid(data)
