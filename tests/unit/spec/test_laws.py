"""Laws of specs: what is written is read again, in any way in which it can be written."""

import copy
import json
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweepstake.errors import SpecError
from sweepstake.spec import ExperimentSpec
from sweepstake.spec.experiment import SpecVersion
from sweepstake.spec.fields import table_of
from sweepstake.spec.schema import json_schema
from sweepstake.spec.writing import to_yaml
from tests.kit.strategies import json_values
from tests.unit.spec.strategies import specs, swept

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
SLOW = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@SLOW
@given(specs | swept)
def test_json_makes_an_equal_spec(spec: ExperimentSpec) -> None:
    """Also after it crossed as text."""
    data = spec.to_json()
    assert ExperimentSpec.from_json(data) == spec
    assert ExperimentSpec.from_json(data).to_json() == data
    assert ExperimentSpec.from_json(json.loads(json.dumps(data))) == spec


@SLOW
@given(specs | swept)
def test_a_file_makes_an_equal_spec(tmp_path: Path, spec: ExperimentSpec) -> None:
    """And gives processes the same words, but for how small fractions are written, of which YAML wants ``1.0e-05``."""
    file = tmp_path / "spec.yaml"
    spec.to_file(file)
    again = ExperimentSpec.from_file(file)
    assert again == spec
    for task, same in zip(spec.tasks, again.tasks, strict=True):
        assert len(task.words()) == len(same.words())
        assert all(one == two or float(one) == float(two) for one, two in zip(task.words(), same.words(), strict=True))


@SLOW
@given(specs)
def test_pyyaml_reads_what_is_written(spec: ExperimentSpec) -> None:
    """As the data that it is, and so beaker-py does."""
    assert yaml.safe_load(to_yaml(spec)) == spec.to_json()


@SLOW
@given(specs | swept)
def test_the_schema_takes_what_is_written(spec: ExperimentSpec) -> None:
    """Whatever it is."""
    assert list(VALIDATOR.iter_errors(spec.to_json())) == []


def snake(record: Any, data: Any) -> Any:
    """Return the JSON of a record with the names that Python has."""
    kind: Any = type(record)
    wire = {entry.wire: entry.name for entry in table_of(kind).entries}
    return {
        wire.get(name, name): _snake(getattr(record, wire.get(name, name), None), value) for name, value in data.items()
    }


def _snake(value: Any, data: Any) -> Any:
    if attrs.has(type(value)) and isinstance(data, dict) and hasattr(value, "to_json"):
        return snake(value, data)
    if isinstance(data, list) and isinstance(value, tuple):
        return [_snake(each, item) for each, item in zip(value, data, strict=True)]
    return data


@SLOW
@given(specs | swept)
def test_both_spellings_are_read(spec: ExperimentSpec) -> None:
    """As Python names fields, and as files do."""
    assert ExperimentSpec.from_json(snake(spec, spec.to_json())) == spec


@SLOW
@given(specs | swept)
def test_specs_are_values(spec: ExperimentSpec) -> None:
    """Copies are equal, and nothing changes when it is checked again."""
    assert copy.deepcopy(spec) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert attrs.evolve(spec) == spec
    assert hash(attrs.evolve(spec)) == hash(spec)
    assert attrs.evolve(spec, version=SpecVersion.v2).tasks == spec.tasks


def places(data: Any) -> list[tuple[Any, Any]]:
    """Return every place in JSON data, as what holds it and its key there."""
    pairs = list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())
    return [(data, key) for key, _ in pairs] + [place for _, value in pairs for place in places(value)]


@SLOW
@given(specs | swept, json_values, st.integers(0, 10**6))
def test_whatever_stands_in_a_spec_is_read_or_told(spec: ExperimentSpec, value: Any, chosen: int) -> None:
    """Any JSON in any place makes a spec or a `SpecError`, and nothing else."""
    data = spec.to_json()
    everywhere = places(data)
    holder, key = everywhere[chosen % len(everywhere)]
    holder[key] = value
    with suppress(SpecError):
        changed = ExperimentSpec.from_json(data).to_json()
        assert ExperimentSpec.from_json(changed).to_json() == changed or "NaN" in json.dumps(changed)
