"""Every fault of a file is told at once, with its place."""

from pathlib import Path
from textwrap import dedent

import pytest

from sweepstake.errors import SpecError, SpecFault
from sweepstake.spec import ExperimentSpec

#: A task in order, to which the faulty lines of a test are added.
TASK = "tasks:\n- name: main\n  image: {docker: a}\n"


def faults_of(text: str | bytes, folder: Path) -> list[str]:
    """Return the lines in which the faults of a file are told, without the file's name."""
    file = folder / "spec.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_file(file)
    assert str(refused.value) == "\n".join(map(str, refused.value.faults))
    assert {fault.file for fault in refused.value.faults} == {str(file)}
    return [str(fault).removeprefix(f"{file}").removeprefix(":").removeprefix(" ") for fault in refused.value.faults]


NOTHING = "a spec has none, and nothing is made of them"
SOURCES = "must have exactly one of beaker, hostPath, weka, result, secret and volume, has"
MEMORY = "must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is"

WHOLE = [
    ("", "is empty"),
    ("# nothing but a comment\n", "is empty"),
    ("---\n", "is empty"),
    ("null", "is empty"),
    ("- a\n- b\n", "1:1: must be a mapping of names to values"),
    ("just words", "1:1: must be a mapping of names to values"),
    ("version: v2\n---\nversion: v2\n", "2:1: begins a second document; a file holds one spec"),
    (b"version: v2\ndescription: \xe9t\xe9\n", "2:14: is not UTF-8"),
    ("version: v2\n".encode("utf-16"), "1:1: is not UTF-8"),
    ("version: v2\ndescription: a\x07b\n", "2:15: is not YAML: holds the character U+0007, which no file may"),
    (
        "tasks: [1, 2\n",
        "2:1: is not YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    ("version: v2\n  tasks: []\n", "2:8: is not YAML: mapping values are not allowed in this context"),
    ("budget: *b\n", "1:9: budget: the alias *b repeats what has not been written above"),
    (
        "retry: &b {allowedTaskRetries: *b}\n",
        "1:32: retry.allowedTaskRetries: the alias *b stands within what it repeats",
    ),
    (
        "sweep: {search: Manual, ? [a, b] : ~}\n",
        ["1:27: sweep: must have a text for a key", "1:27: sweep.?: is unknown here"],
    ),
    ("<<: 5\n", "1:1: must name a mapping, or a list of them, to merge"),
    ("<<: [{version: v2}, 5]\n", "1:1: must name a mapping, or a list of them, to merge"),
    (
        "description: !!python/object/apply:os.system echo\n",
        f"1:14: description: has the tag 'tag:yaml.org,2002:python/object/apply:os.system'; {NOTHING}",
    ),
    (
        "description: !secret x\n",
        "1:14: description: has the tag '!secret'; " + NOTHING,
    ),
    ("!!map {version: v2}\n", "1:1: has the tag 'tag:yaml.org,2002:map'; " + NOTHING),
    ("version: v1\n", "1:10: version: must be one of v2, v2-alpha, is 'v1'"),
    ("version: [v2]\n", "1:10: version: must be a text, not a list"),
    ("description: {a: b}\n", "1:14: description: must be a text, not a mapping"),
    ("taks: []\n", "1:1: taks: is unknown here; did you mean 'tasks'?"),
    ("Version: v2\n", "1:1: Version: is unknown here; did you mean 'version'?"),
    ("x-mine: 1\n", "1:1: x-mine: is unknown here"),
    ("version: v2\nversion: v2\n", "2:1: version: is given twice"),
    (
        "budget: {{.Env.BUDGET}}  # not {{.Env.X}}\n  # nor {{.Env.Y}}\ndescription: 's3://{{ .Env.B }}/x'\n",
        [
            "1:9: has {{.Env.BUDGET}}, which Beaker's command fills in; write the value itself",
            "3:20: has {{ .Env.B }}, which Beaker's command fills in; write the value itself",
        ],
    ),
    ("tasks: {a: b}\n", "1:8: tasks: must be a list of tasks, not a mapping"),
    ("tasks: 5\n", "1:8: tasks: must be a list of tasks, not '5'"),
    ("tasks: [~]\n", "1:9: tasks[0]: is null"),
    ("tasks: [a]\n", "1:9: tasks[0]: must be a mapping of names to values, not 'a'"),
    ("tasks:\n- name: a\n", "2:3: tasks[0]: is missing 'image'"),
    ("tasks:\n- image:\n", "2:3: tasks[0]: is missing 'image'"),
    ("groups: a\n", "1:9: groups: must be a list of texts, not 'a'"),
    ("retry: 3\n", "1:8: retry: must be a mapping of names to values, not '3'"),
    ("retry: {allowedTaskRetries: -1}\n", "1:29: retry.allowedTaskRetries: must not be negative, is -1"),
    ("retry: {allowed_task_retries: x}\n", "1:31: retry.allowed_task_retries: must be a whole number, not 'x'"),
    (
        "retry: {allowedTaskRetry: 3}\n",
        "1:9: retry.allowedTaskRetry: is unknown here; did you mean 'allowedTaskRetries'?",
    ),
]

OF_A_TASK = [
    ("image: {docker: b}", "4:3: tasks[0].image: is given twice"),
    ("envVars: []\n  env_vars: []", "5:3: tasks[0].env_vars: is given twice; envVars and env_vars are one field"),
    ("env-vars: []", "4:3: tasks[0].env-vars: is unknown here; did you mean 'envVars'?"),
    ("gpuCount: 1", "4:3: tasks[0].gpuCount: is unknown here"),
    ("command: python", "4:12: tasks[0].command: must be a list of arguments, not 'python'"),
    ("command: [~]", "4:13: tasks[0].command[0]: is null; write '' for the empty text"),
    ("command: [[a]]", "4:13: tasks[0].command[0]: must be a text or a number, not a list"),
    ("command: [{a: b}]", "4:13: tasks[0].command[0]: must be a text or a number, not a mapping"),
    (
        "arguments: [2024-01-01]",
        "4:15: tasks[0].arguments[0]: is a date in YAML; quote it to have the text '2024-01-01'",
    ),
    ("envVars: [{value: a}]", "4:13: tasks[0].envVars[0]: is missing 'name'"),
    ("envVars: {A: b}", "4:12: tasks[0].envVars: must be a list of variables, not a mapping"),
    (
        "envVars: [{name: '', value: a}]",
        "4:20: tasks[0].envVars[0].name: must be the name of a variable, without '=', is ''",
    ),
    (
        "envVars: [{name: A, value: a, secret: b}]",
        "4:41: tasks[0].envVars[0].secret: is given beside a value; a variable has one of them",
    ),
    (
        "envVars: [{name: A}, {name: B}, {name: A}]",
        "4:42: tasks[0].envVars[2].name: is the variable 'A' a second time",
    ),
    ("datasets: [{mountPath: /a}]", "4:14: tasks[0].datasets[0]: is missing 'source'"),
    ("datasets: [{source: {weka: a}}]", "4:14: tasks[0].datasets[0]: is missing 'mountPath'"),
    ("datasets: [{mountPath: /a, source: {}}]", f"4:38: tasks[0].datasets[0].source: {SOURCES} none"),
    (
        "datasets: [{mountPath: /a, source: {beaker: a, hostPath: /b}}]",
        f"4:38: tasks[0].datasets[0].source: {SOURCES} beaker and hostPath",
    ),
    (
        "datasets: [{mountPath: /a, source: {url: 'https://x.org'}}]",
        [
            f"4:38: tasks[0].datasets[0].source: {SOURCES} none",
            "4:39: tasks[0].datasets[0].source.url: is unknown here",
        ],
    ),
    (
        "datasets: [{mountPath: a, source: {weka: a}}]",
        "4:26: tasks[0].datasets[0].mountPath: must be an absolute path such as '/data', is 'a'",
    ),
    (
        "datasets: [{mountPath: /a/b, source: {weka: a}}, {mount_path: /A, source: {weka: b}}]",
        "4:65: tasks[0].datasets[1].mount_path: overlaps with the mount of datasets[0]",
    ),
    (
        "datasets: [{mountPath: /a, mode: rw, source: {weka: a}}]",
        "4:36: tasks[0].datasets[0].mode: must be one of readonly, readwrite, is 'rw'",
    ),
    (
        "datasets: [{mountPath: /a, source: {hostPath: /}}]",
        "4:49: tasks[0].datasets[0].source.hostPath: must not be the whole file system, is '/'",
    ),
    (
        "datasets: [{mountPath: /a, source: {hostPath: data}}]",
        "4:49: tasks[0].datasets[0].source.hostPath: must be an absolute path such as '/data', is 'data'",
    ),
    (
        "datasets: [{mountPath: /a, source: {result: b}}]",
        "4:47: tasks[0].datasets[0].source.result: names the task 'b', which the spec does not have",
    ),
    (
        "datasets: [{mountPath: /a, source: {result: main}}]",
        "4:47: tasks[0].datasets[0].source.result: waits for itself: main -> main",
    ),
    ("result: {}", "4:11: tasks[0].result: is missing 'path'"),
    ("result: /results", "4:11: tasks[0].result: must be a mapping of names to values, not '/results'"),
    ("resources: {gpuCount: 1.5}", "4:25: tasks[0].resources.gpuCount: must be a whole number, not '1.5'"),
    ('resources: {gpuCount: "1"}', "4:25: tasks[0].resources.gpuCount: must be a whole number, not '1'"),
    ("resources: {gpuCount: [1]}", "4:25: tasks[0].resources.gpuCount: must be a whole number, not a list"),
    ("resources: {gpuCount: -2}", "4:25: tasks[0].resources.gpuCount: must not be negative, is -2"),
    ("resources: {cpuCount: -0.5}", "4:25: tasks[0].resources.cpuCount: must not be negative, is -0.5"),
    ("resources: {cpuCount: .inf}", "4:25: tasks[0].resources.cpuCount: must be a finite number, is inf"),
    ("resources: {cpuCount: many}", "4:25: tasks[0].resources.cpuCount: must be a number, not 'many'"),
    ("resources: {memory: 5 GB}", f"4:23: tasks[0].resources.memory: {MEMORY} '5 GB'"),
    ("resources: {sharedMemory: 10}", f"4:29: tasks[0].resources.sharedMemory: {MEMORY} '10'"),
    ("timeout: soon", "4:12: tasks[0].timeout: must be a duration such as '10m' or '1.5 hours', is 'soon'"),
    ("timeout: 2 days", "4:12: tasks[0].timeout: counts days or weeks in '2 days'; the longest unit is the hour"),
    ("timeout: -1", "4:12: tasks[0].timeout: must not be negative, is -1"),
    ("timeout: -1h", "4:12: tasks[0].timeout: must not be negative, is '-1h'"),
    ("timeout: [1h]", "4:12: tasks[0].timeout: must be a duration, not a list"),
    ("timeout: 9999999999h", "4:12: tasks[0].timeout: must be at most 292 years, is '9999999999h'"),
    (
        "synchronizedStartTimeout: 0",
        "4:29: tasks[0].synchronizedStartTimeout: must be more than 0 and at most 48 hours, is 0",
    ),
    (
        "synchronized_start_timeout: 48h1ns",
        "4:31: tasks[0].synchronized_start_timeout: must be more than 0 and at most 48 hours, is '48h1ns'",
    ),
    ("replicas: -3", "4:13: tasks[0].replicas: must not be negative, is -3"),
    ("hostNetworking: maybe", "4:19: tasks[0].hostNetworking: must be true or false, not 'maybe'"),
    ("leaderSelection: 1", "4:20: tasks[0].leaderSelection: must be true or false, not '1'"),
    (
        "context: {priority: asap}",
        "4:23: tasks[0].context.priority: must be one of urgent, high, normal, low, preemptible, immediate, is 'asap'",
    ),
    (
        "context: {preemptable: true}",
        "4:13: tasks[0].context.preemptable: is unknown here; did you mean 'preemptible'?",
    ),
    (
        "context: {minRuntime: 1 d}",
        "4:25: tasks[0].context.minRuntime: counts days or weeks in '1 d'; the longest unit is the hour",
    ),
    (
        "context: {cluster: a}\n  constraints: {cluster: [b]}",
        "4:22: tasks[0].context.cluster: is given in two ways, and the constraints say another",
    ),
    ("constraints: [a]", "4:16: tasks[0].constraints: must be a mapping of names to values, not a list"),
    ("constraints: {cluster: {a: b}}", "4:26: tasks[0].constraints.cluster: must be a list of texts, not a mapping"),
    ("constraints: {gpu: [[a]]}", "4:23: tasks[0].constraints.gpu[0]: must be a text, not a list"),
    ("constraints: {gpu: [a], gpu: [b]}", "4:27: tasks[0].constraints.gpu: is given twice"),
]


@pytest.mark.parametrize("text, told", WHOLE)
def test_a_fault_of_a_file_is_told(text: str | bytes, told: str | list[str], tmp_path: Path) -> None:
    """With line and column, where there is one, and the path in the spec."""
    assert faults_of(text, tmp_path) == ([told] if isinstance(told, str) else told)


@pytest.mark.parametrize("text, told", OF_A_TASK)
def test_a_fault_of_a_task_is_told(text: str, told: str | list[str], tmp_path: Path) -> None:
    """By the names that stand in the file."""
    assert faults_of(f"{TASK}  {text}\n", tmp_path) == ([told] if isinstance(told, str) else told)


@pytest.mark.parametrize(
    "image, told",
    [
        ("{}", "2:10: tasks[0].image: must have exactly one of beaker and docker, has none"),
        ("{docker: ~}", "2:10: tasks[0].image: must have exactly one of beaker and docker, has none"),
        ("{docker: a, beaker: b}", "2:10: tasks[0].image: must have exactly one of beaker and docker, has both"),
        ("{dokcer: a}", "2:11: tasks[0].image.dokcer: is unknown here; did you mean 'docker'?"),
        ("a", "2:10: tasks[0].image: must be a mapping of names to values, not 'a'"),
    ],
)
def test_a_fault_of_an_image_is_told(image: str, told: str, tmp_path: Path) -> None:
    """A file has it complete."""
    assert told in faults_of(f"tasks:\n- image: {image}\n", tmp_path)


def test_two_tasks_of_one_name_are_told(tmp_path: Path) -> None:
    """Each that comes after the first."""
    text = "tasks:\n" + "- {name: a, image: {docker: b}}\n" * 3
    assert faults_of(text, tmp_path) == [
        "3:10: tasks[1].name: is the name of tasks[0] too: 'a'",
        "4:10: tasks[2].name: is the name of tasks[0] too: 'a'",
    ]


def test_tasks_that_wait_for_each_other_are_told(tmp_path: Path) -> None:
    """Once a circle, at the mount that closes it."""
    waits = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"), ("e", "d"), ("f", "a")]
    text = "tasks:\n" + "".join(
        f"- {{name: {name}, image: {{docker: x}}, datasets: [{{mountPath: /in, source: {{result: {other}}}}}]}}\n"
        for name, other in waits
    )
    assert [line.split(": ", 1)[1] for line in faults_of(text, tmp_path)] == [
        "tasks[2].datasets[0].source.result: waits for itself: a -> b -> c -> a",
        "tasks[4].datasets[0].source.result: waits for itself: d -> e -> d",
    ]


def test_a_long_circle_is_told_by_its_end(tmp_path: Path) -> None:
    """A thousand names would help nobody."""
    text = "tasks:\n" + "".join(
        f"- {{name: t{i}, image: {{docker: x}}, datasets: [{{mountPath: /in, source: {{result: t{other}}}}}]}}\n"
        for i, other in enumerate([*range(1, 1000), 0])
    )
    [line] = faults_of(text, tmp_path)
    assert line.endswith("waits for itself: ... -> t992 -> t993 -> t994 -> t995 -> t996 -> t997 -> t998 -> t999 -> t0")


def test_a_long_chain_of_tasks_is_no_fault(tmp_path: Path) -> None:
    """However deep it goes."""
    file = tmp_path / "spec.yaml"
    file.write_text(
        "tasks:\n"
        + "".join(
            f"- {{name: t{i}, image: {{docker: x}}, datasets: [{{mountPath: /in, source: {{result: t{i + 1}}}}}]}}\n"
            for i in range(2000)
        )
        + "- {name: t2000, image: {docker: x}}\n"
    )
    assert len(ExperimentSpec.from_file(file).tasks) == 2001


def test_all_faults_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Those within a task, those between tasks, and those of fields that nobody knows."""
    text = dedent("""\
        version: v3
        taks: !tagged []
        tasks:
        - name: a
          image: {beaker: x, docker: y}
          resources: {gpuCount: -1, memory: lots, gpus: 3}
          timeout: 1d
        - name: a
          image: {docker: x}
          datasets:
          - {mountPath: data, source: {result: nobody}}
          - {mountPath: /x, source: {result: b}}
        - name: b
          envVars: [{name: A}, {name: A}]
          datasets: [{mountPath: /x, source: {result: a}}]
        """)
    assert faults_of(text, tmp_path) == [
        "1:10: version: must be one of v2, v2-alpha, is 'v3'",
        "2:1: taks: is unknown here; did you mean 'tasks'?",
        "2:7: taks: has the tag '!tagged'; " + NOTHING,
        "5:10: tasks[0].image: must have exactly one of beaker and docker, has both",
        "6:25: tasks[0].resources.gpuCount: must not be negative, is -1",
        f"6:37: tasks[0].resources.memory: {MEMORY} 'lots'",
        "6:43: tasks[0].resources.gpus: is unknown here; did you mean 'gpuCount'?",
        "7:12: tasks[0].timeout: counts days or weeks in '1d'; the longest unit is the hour",
        "8:9: tasks[1].name: is the name of tasks[0] too: 'a'",
        "11:17: tasks[1].datasets[0].mountPath: must be an absolute path such as '/data', is 'data'",
        "11:40: tasks[1].datasets[0].source.result: names the task 'nobody', which the spec does not have",
        "13:3: tasks[2]: is missing 'image'",
        "14:31: tasks[2].envVars[1].name: is the variable 'A' a second time",
    ]


def test_faults_of_json_have_a_path_and_no_line() -> None:
    """There is no file to point at."""
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_json(
            {"tasks": [{"image": {"dokcer": 1}, "command": [None, {}], "replicas": 1.5}], "x": {1}}
        )
    assert refused.value.faults == (SpecFault("x", "must be JSON, not a set"),)
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_json({"tasks": [{"image": {"dokcer": 1}, "command": [None, {}], "replicas": 1.5}]})
    assert list(map(str, refused.value.faults)) == [
        "tasks[0].image.dokcer: is unknown here; did you mean 'docker'?",
        "tasks[0].command[0]: is null; write '' for the empty text",
        "tasks[0].command[1]: must be a text or a number, not a mapping",
        "tasks[0].replicas: must be a whole number, not '1.5'",
    ]


@pytest.mark.parametrize("data", [[], "x", None, 5])
def test_only_an_object_is_a_spec(data: object) -> None:
    """Whatever else JSON has."""
    with pytest.raises(SpecError, match="must be a mapping of names to values"):
        ExperimentSpec.from_json(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name, error", [("no.yaml", FileNotFoundError), (".", IsADirectoryError)])
def test_a_file_that_cannot_be_read_is_no_spec_with_faults(name: str, error: type[OSError], tmp_path: Path) -> None:
    """Python has words for that."""
    with pytest.raises(error):
        ExperimentSpec.from_file(tmp_path / name)
