"""Sixty specs in the shapes that people write: what is read of them, and what is written again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sweepstake.spec import Constraints, DataSource, EnvVar, ExperimentSpec, Priority, SpecVersion
from sweepstake.spec.schema import json_schema

FOLDER = Path(__file__).parent / "files"
FILES = [pytest.param(path, id=path.stem) for path in sorted(FOLDER.glob("*.yaml"))]
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def read(name: str) -> ExperimentSpec:
    """Return the spec of one of the files."""
    return ExperimentSpec.from_file(FOLDER / f"{name}.yaml")


def plain(path: Path) -> Any:
    """Return what PyYAML makes of a file, dates as JSON has them."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


def test_there_are_sixty() -> None:
    """As many as were promised, and each with something of its own."""
    assert len(FILES) >= 60
    assert len({case.values[0].read_text() for case in FILES}) == len(FILES)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_read_and_crosses_as_json(path: Path) -> None:
    """What is written of it makes an equal spec, and is valid by the schema."""
    spec = ExperimentSpec.from_file(path)
    spec.validate()
    data = json.loads(json.dumps(spec.to_json()))
    assert ExperimentSpec.from_json(data) == spec
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_valid_by_the_schema(path: Path) -> None:
    """An editor that knows the schema underlines nothing in it."""
    assert [error.message for error in VALIDATOR.iter_errors(plain(path))] == []


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_is_written_gives_processes_the_same_words(path: Path, tmp_path: Path) -> None:
    """To write a spec and to read it again changes nothing."""
    spec = ExperimentSpec.from_file(path)
    spec.to_file(tmp_path / "again.yaml")
    again = ExperimentSpec.from_file(tmp_path / "again.yaml")
    assert again == spec
    assert [task.words() for task in again.tasks] == [task.words() for task in spec.tasks]
    assert yaml.safe_load((tmp_path / "again.yaml").read_text(encoding="utf-8")) == spec.to_json()


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each scalar of data with the keys that lead to it, those of fields as camelCase."""
    if isinstance(data, dict):
        for key, value in data.items():
            first, *rest = str(key).split("_")
            named = key if path[:1] == ("sweep",) or "constraints" in path else first + "".join(map(str.title, rest))
            yield from leaves(value, (*path, named))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from leaves(value, (*path, i))
    elif data is not None:
        yield path, data


#: What is brought into another form when it is read.
FORMED = {"timeout", "synchronizedStartTimeout", "minRuntime", "cluster", "storage"}


#: Values of sweeps are YAML 1.2, and of several merged mappings PyYAML 6.0.4 takes the last one.
OTHERWISE = ("sweep-", "merges")


@pytest.mark.parametrize("path", [case for case in FILES if not str(case.id).startswith(OTHERWISE)])
def test_nothing_of_a_file_is_lost(path: Path) -> None:
    """Each scalar that PyYAML finds is written at its place, and as it is where it has a type of its own."""
    written = dict(leaves(ExperimentSpec.from_file(path).to_json()))
    for place, value in leaves(plain(path)):
        if place[-1] in FORMED or (place[-2:-1] and place[-2] in FORMED):
            continue
        found = written[place]
        if isinstance(value, str) or (isinstance(found, str) and not isinstance(value, str)):
            assert isinstance(found, str)
            assert not isinstance(value, str) or found in (value, str(value))
        else:
            assert found == value
            assert isinstance(found, type(value))


def test_always_written_fields_are_there() -> None:
    """As beaker-py writes them, whatever the file says."""
    assert read("no-context").to_json() == {
        "version": "v2",
        "tasks": [
            {
                "image": {"beaker": "someone/eval-2024"},
                "context": {},
                "result": {"path": "/output"},
                "name": "only",
                "command": ["python", "-m", "evaluate.run"],
                "hostNetworking": False,
                "leaderSelection": False,
            }
        ],
    }
    assert read("only-version").to_json() == {"version": "v2", "tasks": []}


def test_texts_stay_as_they_were_written() -> None:
    """What YAML would make truth values and numbers of, and drop zeros from."""
    [task] = read("truths").tasks
    assert [each.value for each in task.env_vars or ()] == ["true", "false", "True", "on", "No"]
    assert task.arguments == ["--amp", "true", "--ema", "False", "--resume", "yes", "--compile", "off"]
    [task] = read("numbers").tasks
    assert [each.value for each in task.env_vars or ()] == ["007", "8080", "1.50", "1e9", "3.10", "2024-02-29"]
    assert [task.name for task in read("numbers-as-names").tasks] == ["1", "007"]
    assert read("yes-names").tasks[0].name == "yes"


def test_items_of_commands_are_numbers_and_reach_processes_as_they_were_written() -> None:
    """Python and what is written have the numbers of YAML 1.1; the process has the text."""
    [task] = read("numbers").tasks
    values = dict(zip((task.command or ())[2::2], (task.command or ())[3::2], strict=True))
    assert values == {
        "--epochs": 30, "--lr": "1e-4", "--weight-decay": 0.01, "--dropout": 0.1, "--warmup": 1000, "--mask": 31,
        "--umask": 10, "--at": 630, "--clip": 1.5, "--temperature": 0.001, "--seed": -1,
    }  # fmt: skip
    assert task.to_json()["command"] == task.command
    assert " ".join(task.words()[3::2]) == "30 1e-4 0.01 .1 1_000 0x1F 012 10:30 1.50 1.0e-3 -1"


def test_nothing_and_the_empty_text_are_told_apart() -> None:
    """A value that is null is unset."""
    [task] = read("empty-values").tasks
    assert task.env_vars == [EnvVar("EMPTY", ""), EnvVar("ALSO_EMPTY"), EnvVar("NOTHING"), EnvVar("TILDE")]
    assert (task.datasets, task.resources) == ([], None)


def test_durations_are_read_in_nanoseconds() -> None:
    """Whatever units they are written in."""
    tasks = read("timeouts").tasks
    seconds = [3600, 600, 172_800, 5400, 90, 9000]
    assert [task.timeout for task in tasks[:-1]] == [each * 10**9 for each in seconds]
    assert tasks[-1].synchronized_start_timeout == 330 * 10**9


def test_both_spellings_are_one_field() -> None:
    """Names of Python and those of files may stand in one file, though not in one task twice."""
    first, second = read("both-spellings").tasks
    assert (first.env_vars, second.env_vars) == ([EnvVar("A", "one")], [EnvVar("A", "two")])
    assert (second.datasets or ())[0].source == DataSource(result="first")


def test_aliases_stand_for_what_they_name() -> None:
    """A merged mapping gives what the mapping itself does not say, and the first that is named wins."""
    tasks = read("anchors").tasks
    assert [task.words()[-1] for task in tasks] == ["0", "1", "2"]
    assert tasks[2].env_vars == tasks[0].env_vars
    both = read("merges").tasks[2]
    assert (both.name, both.image.beaker, both.context.priority) == ("both", "someone/x", Priority.urgent)


def test_one_cluster_may_be_a_text() -> None:
    """In the constraints, or in the context as it was once."""
    assert (read("cluster-text").tasks[0].constraints or Constraints())["cluster"] == ["lab/east"]
    old = read("cluster-context").tasks[0]
    assert (old.constraints or Constraints())["cluster"] == ["lab/general"]
    assert old.to_json()["context"] == {"cluster": "lab/general", "priority": "normal"}
    assert dict(read("other-constraints").tasks[0].constraints or {}) == {
        "cluster": ["lab/east"],
        "gpuType": ["h100", "h200"],
        "storage": ["weka"],
    }


def test_old_and_new_versions_are_read_alike() -> None:
    """The version is kept."""
    assert read("hello-alpha").version is SpecVersion.v2_alpha
    assert read("no-version").version is SpecVersion.v2


@pytest.mark.parametrize("text", ["\ufeffversion: v2\n", "version: v2", "{version: v2}", "---\nversion: v2\n...\n"])
def test_marks_around_a_document_say_nothing(text: str, tmp_path: Path) -> None:
    """A byte order mark, a missing last line break, a flow mapping."""
    file = tmp_path / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    assert ExperimentSpec.from_file(str(file)) == ExperimentSpec()


@pytest.mark.parametrize("path", FILES)
def test_pyyaml_without_libyaml_reads_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some platforms have no other; it only takes longer."""
    spec = ExperimentSpec.from_file(path)
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert ExperimentSpec.from_file(path) == spec


def test_json_may_escape_what_yaml_does_not(tmp_path: Path) -> None:
    """A character beyond 16 bits is two escapes in JSON."""
    spec = ExperimentSpec(description="\U0001f680 and \U00010348", groups=["\u00e9"])
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec.to_json(), indent=2))
    assert "\\ud83d" in file.read_text()
    assert ExperimentSpec.from_file(file) == spec
