"""Specs in Python: how they are made, changed into copies, and refused."""

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from sweepstake import spec as specs
from sweepstake.errors import FrozenSpecError, SpecError, SweepstakeError
from sweepstake.search import LogUniform
from sweepstake.spec import (
    Constraints,
    DataMount,
    DataSource,
    EnvVar,
    ExperimentSpec,
    ImageSource,
    MountMode,
    Priority,
    ResultSpec,
    RetrySpec,
    SpecVersion,
    SweepSpec,
    TaskContext,
    TaskResources,
    TaskSpec,
)

TASK = TaskSpec.new("main", docker_image="alpine")
SPEC = ExperimentSpec.new(docker_image="alpine")


def refusal(make: Callable[[], object]) -> list[tuple[str, str]]:
    """Return what the error says that making something raises."""
    with pytest.raises(SpecError) as refused:
        make()
    assert isinstance(refused.value, SweepstakeError)
    assert isinstance(refused.value, ValueError)
    assert {fault.line for fault in refused.value.faults} == {None}
    return [(fault.path, fault.problem) for fault in refused.value.faults]


# Names, fields and defaults


@pytest.mark.parametrize(
    "kind, fields",
    [
        (ExperimentSpec, "version description tasks budget retry groups sweep"),
        (
            TaskSpec,
            (
                "image context result constraints name command arguments env_vars datasets resources "
                "host_networking replicas leader_selection propagate_failure propagate_preemption "
                "synchronized_start_timeout timeout sweep"
            ),
        ),
        (ImageSource, "beaker docker"),
        (EnvVar, "name value secret"),
        (DataSource, "beaker host_path weka result secret volume"),
        (DataMount, "source mount_path sub_path mode"),
        (ResultSpec, "path"),
        (TaskResources, "cpu_count gpu_count memory shared_memory"),
        (TaskContext, "cluster priority preemptible min_runtime auto_resume"),
        (RetrySpec, "allowed_task_retries"),
        (SweepSpec, "search parameters objective direction max_jobs max_running n_seeds"),
    ],
)
def test_each_type_has_the_fields_of_beakers(kind: type, fields: str) -> None:
    """In this order, which code that passes them by position relies on."""
    assert list(inspect.signature(kind).parameters) == fields.split()


def test_unset_fields_are_none() -> None:
    """But for those that have a default of their own."""
    task = TaskSpec(ImageSource(docker="alpine"))
    defaults = {each.name: getattr(task, each.name) for each in attrs.fields(TaskSpec)}
    own = {"image": ImageSource(docker="alpine"), "context": TaskContext(), "host_networking": False}
    assert {name: value for name, value in defaults.items() if value is not None} == {**own, "leader_selection": False}
    spec = ExperimentSpec()
    assert (spec.version, spec.tasks, spec.budget) == (SpecVersion.v2, [], None)


@pytest.mark.parametrize("name", [name for name in specs.__all__ if name.startswith("Beaker")])
def test_each_name_also_has_beaker_before_it(name: str) -> None:
    """So that code written for beaker-py changes its import and nothing else."""
    plain = {"BeakerJobPriority": "Priority"}.get(name, name.removeprefix("Beaker"))
    assert getattr(specs, name) is getattr(specs, plain)


def test_enums_are_texts() -> None:
    """Comparing with a text works, and so does a look-up by name."""
    words: list[str] = [Priority.high, SpecVersion.v2_alpha, MountMode.readwrite]
    assert words == ["high", "v2-alpha", "readwrite"]
    assert [*Priority] == ["urgent", "high", "normal", "low", "preemptible", "immediate"]
    assert Priority["urgent"] is Priority.urgent


# new


def test_a_new_task_is_made_of_its_most_common_parts() -> None:
    """Images, cluster, result and context have arguments of their own."""
    task = TaskSpec.new(
        "t",
        "lab/east",
        "someone/image",
        priority="high",
        preemptible=True,
        min_runtime="1h",
        auto_resume=False,
        replicas=2,
    )
    assert (task.name, task.image, task.result) == (
        "t",
        ImageSource(beaker="someone/image"),
        ResultSpec(path="/unused"),
    )
    assert task.context == TaskContext(
        priority=Priority.high, preemptible=True, min_runtime=3600 * 10**9, auto_resume=False
    )
    assert task.constraints == Constraints(cluster=["lab/east"])
    assert task.replicas == 2


def test_a_new_task_takes_its_arguments_by_position() -> None:
    """In the order of beaker-py."""
    names = "name cluster beaker_image docker_image result_path priority preemptible min_runtime auto_resume fields"
    assert list(inspect.signature(TaskSpec.new).parameters) == names.split()
    assert TaskSpec.new("t", None, None, "alpine", "/out").result == ResultSpec("/out")


def test_a_new_task_need_not_have_its_image_yet() -> None:
    """`with_image` may come later."""
    assert TaskSpec.new("t").with_image(beaker="x").image == ImageSource(beaker="x")


@pytest.mark.parametrize("constraints", [{"hostname": ["a"]}, Constraints(hostname=["a"])])
def test_the_cluster_joins_other_constraints(constraints: Any) -> None:
    """Which may be a dict."""
    task = TaskSpec.new("t", cluster=["x", "y"], constraints=constraints)
    assert task.constraints == Constraints(cluster=["x", "y"], hostname=["a"])


def test_a_cluster_given_in_two_ways_is_refused() -> None:
    """As beaker-py does."""
    two = "is given in two ways, alone and in the constraints"
    assert refusal(lambda: TaskSpec.new("t", cluster="a", constraints={"cluster": ["a"]})) == [("cluster", two)]
    context = TaskContext(cluster="a")
    assert refusal(lambda: TaskSpec(ImageSource(), context, constraints=Constraints(cluster=["b"]))) == [
        ("context.cluster", "is given in two ways, and the constraints say another")
    ]


def test_parts_of_a_new_task_may_be_given_whole() -> None:
    """Instead of in parts, and not beside them."""
    task = TaskSpec.new(
        "t", image=ImageSource(docker="x"), result={"path": "/out"}, context=TaskContext(priority=Priority.high)
    )
    assert task == TaskSpec.new("t", docker_image="x", result_path="/out", priority="high")
    two = "is given in two ways, whole and in parts"
    assert refusal(
        lambda: TaskSpec.new("t", docker_image="x", image=ImageSource(beaker="x"), priority="low", context={})
    ) == [("image", two), ("context", two)]


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: TaskSpec.new("t", gpu_count=1), ("gpu_count", "is unknown here")),
        (lambda: TaskSpec.new("t", envVars=[]), ("envVars", "is unknown here; did you mean 'env_vars'?")),
        (lambda: ExperimentSpec.new("b", argument=["x"]), ("argument", "is unknown here; did you mean 'arguments'?")),
        (lambda: TaskSpec.new("t").with_image(doker="x"), ("doker", "is unknown here; did you mean 'docker'?")),
        (lambda: TaskSpec.new("t").with_result(pth="/x"), ("pth", "is unknown here; did you mean 'path'?")),
        (lambda: TaskSpec.new("t").with_context(prio="low"), ("prio", "is unknown here; did you mean 'priority'?")),
        (lambda: TaskSpec.new("t").with_resources(gpus=2), ("gpus", "is unknown here; did you mean 'gpu_count'?")),
        (lambda: DataMount.new("/x", hostPath="/x"), ("hostPath", "is unknown here; did you mean 'host_path'?")),
    ],
)
def test_names_that_are_none_of_the_fields_are_told(make: Callable[[], object], told: tuple[str, str]) -> None:
    """As in a file, with the nearest name; in code it is that of the argument."""
    assert refusal(make) == [told]


def test_all_that_is_wrong_with_a_new_task_is_told_at_once() -> None:
    """Whichever part it belongs to."""
    assert refusal(
        lambda: TaskSpec.new("t", priority="hihg", min_runtime="1d", constraints={"cluster": 5, "x": [None]})
    ) == [
        ("priority", "must be one of urgent, high, normal, low, preemptible, immediate, is 'hihg'"),
        ("min_runtime", "counts days or weeks in '1d'; the longest unit is the hour"),
        ("cluster", "must be a list of texts, not an int"),
        ("x[0]", "must be a text, not None"),
    ]


def test_a_new_spec_has_one_task() -> None:
    """What is no argument of its own goes to the task."""
    spec = ExperimentSpec.new("lab/ml", "t", "for a test", "lab/east", None, "alpine", "/out", "low", replicas=3)
    assert (spec.budget, spec.description, len(spec.tasks)) == ("lab/ml", "for a test", 1)
    assert spec.tasks[0] == TaskSpec.new("t", "lab/east", None, "alpine", "/out", "low", replicas=3)
    assert ExperimentSpec.new().tasks[0].name == "main"


def test_a_new_mount_has_one_source() -> None:
    """By name; the mode may stand beside it."""
    mount = DataMount.new("/in", "a/b", weka="bucket", mode="readwrite")
    assert mount == DataMount(DataSource(weka="bucket"), "/in", "a/b", MountMode.readwrite)


# with_*


@pytest.mark.parametrize(
    "changed, field, value",
    [
        (TASK.with_image(beaker="b"), "image", ImageSource(beaker="b")),
        (TASK.with_result(path="/r"), "result", ResultSpec("/r")),
        (TASK.with_context(priority="low"), "context", TaskContext(priority=Priority.low)),
        (TASK.with_name("n"), "name", "n"),
        (TASK.with_command(["a", 1, 0.5]), "command", ["a", 1, 0.5]),
        (TASK.with_arguments(["--x"]), "arguments", ["--x"]),
        (TASK.with_resources(gpu_count=2), "resources", TaskResources(gpu_count=2)),
        (TASK.with_dataset("/in", beaker="d"), "datasets", [DataMount.new("/in", beaker="d")]),
        (TASK.with_env_var("A", "1"), "env_vars", [EnvVar("A", "1")]),
        (TASK.with_constraint(cluster=["c"]), "constraints", Constraints(cluster=["c"])),
    ],
)
def test_a_task_changes_into_a_copy(changed: TaskSpec, field: str, value: object) -> None:
    """Only the field that is named differs, and the old task stays as it is."""
    assert getattr(changed, field) == value
    same = {each.name: getattr(changed, each.name) == getattr(TASK, each.name) for each in attrs.fields(TaskSpec)}
    assert [name for name, equal in same.items() if not equal] == [field]
    assert TaskSpec.new("main", docker_image="alpine") == TASK


def test_mounts_and_variables_are_appended() -> None:
    """The others stay."""
    task = (
        TASK.with_env_var("A").with_env_var("B", secret="s").with_dataset("/a", weka="w").with_dataset("/b", weka="w")
    )
    assert [each.name for each in task.env_vars or ()] == ["A", "B"]
    assert [each.mount_path for each in task.datasets or ()] == ["/a", "/b"]


def test_other_constraints_stay() -> None:
    """A constraint of the same name is replaced."""
    task = TASK.with_constraint(cluster=["a"], gpu=["h100"]).with_constraint(cluster="b", hostname=["h"])
    assert dict(task.constraints or {}) == {"cluster": ["b"], "hostname": ["h"], "gpu": ["h100"]}


def test_parts_are_replaced_whole() -> None:
    """What is not named again is unset."""
    assert TASK.with_resources(gpu_count=1, memory="1g").with_resources(gpu_count=2).resources == TaskResources(
        gpu_count=2
    )


def test_a_spec_changes_into_a_copy() -> None:
    """Tasks are appended."""
    changed = SPEC.with_description("d").with_retries(3).with_task(TaskSpec.new("two", docker_image="b"))
    assert (changed.description, changed.retry) == ("d", RetrySpec(3))
    assert [task.name for task in changed.tasks] == ["main", "two"]
    assert ExperimentSpec.new(docker_image="alpine") == SPEC


def test_a_task_of_a_name_that_is_there_is_refused() -> None:
    """Also when the spec is made at once."""
    twice = [("tasks[1].name", "is the name of tasks[0] too: 'main'")]
    assert refusal(lambda: SPEC.with_task(TASK)) == twice
    assert refusal(lambda: ExperimentSpec(tasks=[TASK, TASK])) == twice


def test_a_task_that_joins_a_spec_has_an_image() -> None:
    """Exactly one."""
    none = [("tasks[0].image", "must have exactly one of beaker and docker, has none")]
    assert refusal(lambda: ExperimentSpec().with_task(TaskSpec.new("t"))) == none
    both = TaskSpec(ImageSource("a", "b"))
    assert refusal(lambda: ExperimentSpec().with_task(both)) == [(none[0][0], none[0][1].replace("none", "both"))]


def test_validating_compares_the_parts_of_a_spec() -> None:
    """What steps in between may still have been without."""
    SPEC.validate()
    task = TaskSpec.new("a").with_dataset("/in", result="b")
    assert refusal(ExperimentSpec(tasks=[task]).validate) == [
        ("tasks[0].image", "must have exactly one of beaker and docker, has none"),
        ("tasks[0].datasets[0].source.result", "names the task 'b', which the spec does not have"),
    ]


# Frozen


@pytest.mark.parametrize(
    "record, field, way",
    [
        (TASK, "image", "with_image(...)"),
        (TASK, "env_vars", "with_env_var(...)"),
        (TASK, "datasets", "with_dataset(...)"),
        (TASK, "constraints", "with_constraint(...)"),
        (TASK, "replicas", "attrs.evolve(task, replicas=...)"),
        (SPEC, "tasks", "with_task(...)"),
        (SPEC, "description", "with_description(...)"),
        (SPEC, "retry", "with_retries(...)"),
        (SPEC, "budget", "attrs.evolve(spec, budget=...)"),
        (TASK.image, "docker", "TaskSpec.with_image(docker=...)"),
        (TASK.context, "priority", "TaskSpec.with_context(priority=...)"),
        (TASK.result, "path", "TaskSpec.with_result(path=...)"),
        (TaskResources(), "gpu_count", "TaskSpec.with_resources(gpu_count=...)"),
        (EnvVar("A"), "value", "TaskSpec.with_env_var(...)"),
        (DataMount.new("/a", weka="w"), "mode", "TaskSpec.with_dataset(...)"),
        (DataSource(weka="w"), "weka", "TaskSpec.with_dataset(...)"),
        (Constraints(), "cluster", "TaskSpec.with_constraint(cluster=[...])"),
        (RetrySpec(), "allowed_task_retries", "ExperimentSpec.with_retries(...)"),
        (SweepSpec({"Manual": None}), "max_jobs", "attrs.evolve(sweep, max_jobs=...)"),
        (TASK, "no_field", "attrs.evolve(task, no_field=...)"),
    ],
)
def test_an_assignment_is_refused_and_told_what_to_use(record: object, field: str, way: str) -> None:
    """As code written for beaker-py 1 did."""
    says = f"{type(record).__name__}.{field} cannot be assigned to; {way} returns a changed copy"
    with pytest.raises(FrozenSpecError) as refused:
        setattr(record, field, None)
    assert str(refused.value) == says
    assert isinstance(refused.value, AttributeError)
    with pytest.raises(FrozenSpecError):
        delattr(record, field)


def test_an_item_of_constraints_cannot_be_assigned_to() -> None:
    """Nor can lists be changed."""
    constraints: Any = Constraints(cluster=["a"])
    with pytest.raises(FrozenSpecError) as refused:
        constraints["cluster"] = ["b"]
    assert str(refused.value) == (
        "constraints['cluster'] cannot be assigned to; TaskSpec.with_constraint(...) returns a changed copy"
    )
    assert isinstance(refused.value, TypeError)
    assert not hasattr(constraints.cluster, "append")


def test_specs_are_values() -> None:
    """They compare, hash, copy and cross to other processes."""
    spec = ExperimentSpec.new("b", docker_image="a", cluster="c", env_vars=[EnvVar("A", "1")], command=["x", 1])
    spec = attrs.evolve(spec, sweep=SweepSpec("random", {"lr": LogUniform(1e-5, 1.0), "n": [1, 2]}))
    for again in (copy.copy(spec), copy.deepcopy(spec), pickle.loads(pickle.dumps(spec)), attrs.evolve(spec)):
        assert (again, hash(again)) == (spec, hash(spec))


# What fields take


def test_lists_are_kept_as_lists_that_cannot_change() -> None:
    """They equal lists and tuples, and are added to as either."""
    command: Any = TaskSpec(ImageSource(), command=["a", "b"]).command
    assert command == ["a", "b"]
    assert command == ("a", "b")
    assert command != ["a"]
    assert ["x"] + command == ["x", "a", "b"]  # noqa: RUF005 -- what is tested
    assert command + ["c"] == ["a", "b", "c"]  # noqa: RUF005 -- what is tested
    assert (command[0], command[1:]) == ("a", ["b"])
    assert repr(command) == "['a', 'b']"
    assert hash(command) == hash(("a", "b"))


def test_texts_take_numbers_and_truths() -> None:
    """As beaker-py takes them for the items of a command."""
    task = TaskSpec(ImageSource(docker="3"), command=["x", True, 5, 0.5], env_vars=[EnvVar("A", 7)])  # type: ignore[arg-type]
    assert task.command == ["x", "True", 5, 0.5]
    assert task.words() == ["x", "True", "5", "0.5"]
    assert task.env_vars == [EnvVar("A", "7")]


def test_none_is_what_is_unset() -> None:
    """Also where the default is something else."""
    task = TaskSpec(ImageSource(), None, leader_selection=None, host_networking=None)  # type: ignore[arg-type]
    assert (task.context, task.leader_selection, task.host_networking) == (TaskContext(), False, False)
    assert ExperimentSpec(None, tasks=None) == ExperimentSpec()  # type: ignore[arg-type]


def test_durations_are_kept_in_nanoseconds() -> None:
    """A number counts them, a text has units, and Python's own spans are taken as well."""
    for timeout in (90 * 10**9, 9e10, "90", "1m30s", timedelta(seconds=90)):
        assert attrs.evolve(TASK, timeout=timeout).timeout == 90 * 10**9  # type: ignore[arg-type]


MOUNT = DataMount.new("/a", weka="w")
#: Without types, so that they can be given what types would refuse.
made: Any = specs
made_task: Any = TASK
evolve: Any = attrs.evolve


@pytest.mark.parametrize(
    "make, faults",
    [
        (lambda: made.EnvVar(None), [("name", "must be a text, not None")]),
        (lambda: made.EnvVar(""), [("name", "must be the name of a variable, without '=', is ''")]),
        (lambda: made.EnvVar("A=B"), [("name", "must be the name of a variable, without '=', is 'A=B'")]),
        (lambda: made.EnvVar("A", "x", "y"), [("secret", "is given beside a value; a variable has one of them")]),
        (lambda: made.EnvVar("A", "a\0b"), [("value", "holds a NUL character, which no text of a spec may")]),
        (lambda: made.EnvVar("A", "\ud800"), [("value", "holds a lone surrogate, which is not text")]),
        (lambda: made.EnvVar("A", ["x"]), [("value", "must be a text, not a list")]),
        (
            made.DataSource,
            [("", "must have exactly one of beaker, hostPath, weka, result, secret and volume, has none")],
        ),
        (
            lambda: made.DataSource("a", weka="b"),
            [("", "must have exactly one of beaker, hostPath, weka, result, secret and volume, has beaker and weka")],
        ),
        (lambda: made.DataSource(host_path="x"), [("host_path", "must be an absolute path such as '/data', is 'x'")]),
        (lambda: made.DataSource(host_path="//./"), [("host_path", "must not be the whole file system, is '//./'")]),
        (lambda: made.DataSource(host_path="/a/.."), [("host_path", "must not be the whole file system, is '/a/..'")]),
        (lambda: made.DataMount("x", "/a"), [("source", "must be DataSource(...), not a str")]),
        (
            lambda: made.DataMount.new("a", weka="w"),
            [("mount_path", "must be an absolute path such as '/data', is 'a'")],
        ),
        (
            lambda: made.DataMount.new("/a", weka="w", mode="rw"),
            [("mode", "must be one of readonly, readwrite, is 'rw'")],
        ),
        (lambda: made.TaskResources(gpu_count=-1), [("gpu_count", "must not be negative, is -1")]),
        (lambda: made.TaskResources(gpu_count=1.5), [("gpu_count", "must be a whole number, not 1.5")]),
        (lambda: made.TaskResources(gpu_count=True), [("gpu_count", "must be a whole number, not True")]),
        (lambda: made.TaskResources(gpu_count=2**60), [("gpu_count", "must be at most 9,007,199,254,740,992")]),
        (lambda: made.TaskResources(-0.5), [("cpu_count", "must not be negative, is -0.5")]),
        (lambda: made.TaskResources(float("nan")), [("cpu_count", "must be a finite number, is nan")]),
        (lambda: made.TaskResources("4"), [("cpu_count", "must be a number, not a str")]),
        (
            lambda: made.TaskResources(memory="5"),
            [("memory", "must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is '5'")],
        ),
        (
            lambda: made.TaskResources(memory="x", shared_memory=1),
            [
                ("memory", "must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is 'x'"),
                (
                    "shared_memory",
                    "must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is '1'",
                ),
            ],
        ),
        (lambda: made.TaskContext(preemptible="yes"), [("preemptible", "must be True or False, not 'yes'")]),
        (lambda: made.RetrySpec(-1), [("allowed_task_retries", "must not be negative, is -1")]),
        (lambda: made.ExperimentSpec("v1"), [("version", "must be one of v2, v2-alpha, is 'v1'")]),
        (lambda: made.ExperimentSpec(tasks="x"), [("tasks", "must be a list of tasks, not a text")]),
        (lambda: made.ExperimentSpec(tasks=[1]), [("tasks[0]", "must be TaskSpec(...), not an int")]),
        (lambda: made.ExperimentSpec(groups="x"), [("groups", "must be a list of texts, not a text")]),
        (lambda: made_task.with_command("ls -l"), [("command", "must be a list of arguments, not a text")]),
        (lambda: made_task.with_command({"a": 1}), [("command", "must be a list of arguments, not a dict")]),
        (
            lambda: made_task.with_arguments(["a", None, ["b"], {}, date(2024, 1, 1)]),
            [
                ("arguments[1]", "must be a text or a number, not None"),
                ("arguments[2]", "must be a text or a number, not a list"),
                ("arguments[3]", "must be a text or a number, not a dict"),
                ("arguments[4]", "must be a text or a number, not a date"),
            ],
        ),
        (
            lambda: made_task.with_env_var("A").with_env_var("A"),
            [("env_vars[1].name", "is the variable 'A' a second time")],
        ),
        (
            lambda: made_task.with_dataset("/a", weka="w").with_dataset("/A/b", weka="w"),
            [("datasets[1].mount_path", "overlaps with the mount of datasets[0]")],
        ),
        (
            lambda: evolve(made_task, datasets=[MOUNT, DataMount.new("/", weka="w")]),
            [("datasets[1].mount_path", "overlaps with the mount of datasets[0]")],
        ),
        (lambda: evolve(made_task, timeout=-1), [("timeout", "must not be negative, is -1")]),
        (
            lambda: evolve(made_task, timeout=1.5),
            [("timeout", "must be whole nanoseconds, or a text such as '10m', not 1.5")],
        ),
        (lambda: evolve(made_task, timeout=2**63), [("timeout", f"must be at most 292 years, is {2**63}")]),
        (
            lambda: evolve(made_task, synchronized_start_timeout=0),
            [("synchronized_start_timeout", "must be more than 0 and at most 48 hours, is 0")],
        ),
        (
            lambda: evolve(made_task, synchronized_start_timeout="48h1s"),
            [("synchronized_start_timeout", "must be more than 0 and at most 48 hours, is '48h1s'")],
        ),
        (lambda: evolve(made_task, image="alpine"), [("image", "must be ImageSource(...), not a str")]),
        (
            lambda: made.TaskSpec.new("t", constraints=5),
            [("constraints", "must be Constraints(...) or a dict, not an int")],
        ),
        (
            lambda: made.TaskSpec.new("t", cluster="x", constraints=5),
            [("constraints", "must be Constraints(...) or a dict, not an int")],
        ),
    ],
)
def test_what_a_field_cannot_hold_is_refused(make: Callable[[], object], faults: list[tuple[str, str]]) -> None:
    """The error names the field by its name in Python, and says what is wrong."""
    assert refusal(make) == faults


def test_a_part_may_be_a_dict_of_its_fields() -> None:
    """As beaker-py 1 took them, in either spelling."""
    task = made.TaskSpec(
        image={"docker": "a"}, resources={"gpu_count": 1, "sharedMemory": "1g"}, env_vars=[{"name": "A"}]
    )
    assert task == TaskSpec(
        ImageSource(docker="a"), resources=TaskResources(gpu_count=1, shared_memory="1g"), env_vars=[EnvVar("A")]
    )
    assert refusal(lambda: made.TaskSpec(image={"dokcer": "a"}, env_vars=[{"name": "A"}, {"nam": 1}])) == [
        ("image.dokcer", "is unknown here; did you mean 'docker'?"),
        ("env_vars[1].nam", "is unknown here; did you mean 'name'?"),
        ("env_vars[1]", "is missing 'name'"),
    ]


# Constraints


def test_constraints_are_found_as_items() -> None:
    """Of any name."""
    constraints = Constraints(cluster="a", gpu=["x", "y"], unset=None)
    assert constraints["cluster"] == ["a"]
    assert constraints["gpu"] == ["x", "y"]
    assert "gpu" in constraints
    assert "hostname" not in constraints
    assert list(constraints) == constraints.keys() == ["cluster", "gpu"]
    with pytest.raises(KeyError):
        constraints["hostname"]


def test_the_cluster_of_a_context_is_read_as_a_constraint() -> None:
    """It stays where it was written, and goes with the context."""
    task = TaskSpec.new("t", docker_image="a").with_context(cluster="lab/east")
    assert (task.context.cluster, task.constraints) == ("lab/east", Constraints(cluster=["lab/east"]))
    data = task.to_json()
    assert data["context"] == {"cluster": "lab/east"}
    assert "constraints" not in data
    assert TaskSpec.from_json(data) == task
    assert task.with_context(priority="low").constraints is None
    hosts = task.with_constraint(hostname=["h"])
    assert dict(hosts.constraints or {}) == {"cluster": ["lab/east"], "hostname": ["h"]}
    assert hosts.to_json()["constraints"] == {"hostname": ["h"]}
    assert dict(hosts.with_context().constraints or {}) == {"hostname": ["h"]}
