"""What is started for a job of a task: compared as data, nothing runs."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.spec import TaskSpec
from sweepstake.worker.slots.book import Share
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.run import Folders, JobFacts, TaskRun, check_task, on_host, room_of, run_of, timeout_of
from sweepstake.worker.tasks.sources import Mount, Sources

FACTS = JobFacts(
    experiment="exp",
    job_id="job",
    task="main",
    attempt=2,
    name="exp-1-2",
    hyperparameters={"lr": 0.1, "data.path": "/data/x"},
    sweeps=True,
    share=Share(room=Room(cpus=1.5, gpus=2), gpus=("2", "3")),
    hostname="host",
)
TASK = TaskSpec.new(
    "main", docker_image="image:1", command=["python"], arguments=["x.py", "--lr={lr}", 5], result_path="/results/"
)
FOLDERS = Folders(own=Path("/a/own"), results=Path("/a/results"), checkpoints=Path("/c"))
DATA = Mount(host=Path("/host/data"), path="/data")


def secret(name: str) -> str:
    """Return a secret that everybody has, but for one."""
    if name == "missing":
        raise ConfigurationError("the secret 'missing' is not on this machine")
    return f"secret of {name}"


def run(task: TaskSpec = TASK, *, contained: bool = True, **facts: Any) -> TaskRun:
    """Return what is started, with data at /data."""
    return run_of(task, attrs.evolve(FACTS, **facts), [DATA], FOLDERS, Sources(), secret, contained=contained)


def test_a_container_gets_the_paths_of_the_task() -> None:
    """And all that it is told by them."""
    made = run()
    assert (made.command, made.arguments) == (["python"], ["x.py", "--lr=0.1", "5"])
    assert made.mounts == [
        DATA,
        Mount(host=Path("/a/own"), path="/sweepstake", write=True),
        Mount(host=Path("/c"), path="/sweepstake/checkpoints", write=True),
        Mount(host=Path("/a/results"), path="/results", write=True),
    ]
    assert made.environment["SWEEPSTAKE_RESULT_DIR"] == "/results"
    assert json.loads(made.environment["SWEEPSTAKE_MOUNTS"]) == {"/data": "/data"}
    assert (made.image, made.gpus, made.shared_memory, made.memory) == ("image:1", ("2", "3"), 5 * 1024**3, None)


def test_names_of_beakers_are_told() -> None:
    """As scripts in the wild read them."""
    beaker = {name: value for name, value in run(rank=1, count=4).environment.items() if name.startswith("BEAKER_")}
    assert beaker == {
        "BEAKER_EXPERIMENT_ID": "exp",
        "BEAKER_JOB_ID": "job",
        "BEAKER_TASK_ID": "main",
        "BEAKER_REPLICA_RANK": "1",
        "BEAKER_REPLICA_COUNT": "4",
        "BEAKER_LEADER_REPLICA_HOSTNAME": "host",
        "BEAKER_NODE_HOSTNAME": "host",
        "BEAKER_ASSIGNED_GPU_COUNT": "2",
        "BEAKER_ASSIGNED_CPU_COUNT": "1.5",
    }


def test_hyperparameters_are_told_in_four_ways() -> None:
    """By placeholders (above), by a variable each, by one for all, and by a file."""
    environment = run().environment
    assert environment["SWEEPSTAKE_HP_LR"] == "0.1"
    assert environment["SWEEPSTAKE_HP_DATA_PATH"] == "/data/x"
    assert json.loads(environment["SWEEPSTAKE_HYPERPARAMETERS"]) == FACTS.hyperparameters
    assert environment["SWEEPSTAKE_HYPERPARAMETERS_PATH"] == "/sweepstake/hyperparameters.json"


def test_hyperparameters_whose_variables_meet_are_refused() -> None:
    """One of them would be lost."""
    with pytest.raises(InvalidInputError, match=r"would be the variable SWEEPSTAKE_HP_A_B, as 'a\.b' is"):
        run(hyperparameters={"lr": 1, "a.b": 1, "A-B": 2})


def test_what_no_process_can_be_started_with_is_in_the_file_alone() -> None:
    """Large values, and those with NUL characters."""
    environment = run(hyperparameters={"lr": 1, "large": "x" * 200_000, "nul": "\0"}).environment
    assert "SWEEPSTAKE_HYPERPARAMETERS" not in environment
    assert "SWEEPSTAKE_HP_LARGE" not in environment
    assert "SWEEPSTAKE_HP_NUL" not in environment
    assert environment["SWEEPSTAKE_HP_LR"] == "1"


def test_paths_are_replaced_on_the_host() -> None:
    """In items and variables, but not in what tells the job's values, nor in our list of mounts."""
    task = TASK.with_arguments(["--out=/results/x", "--data={data.path}", "bash /data"]).with_env_var("D", "a:/data")
    made = on_host(run(task, contained=False))
    assert made.arguments == ["--out=/a/results/x", "--data=/host/data/x", "bash /host/data"]
    environment = made.environment
    assert environment["D"] == "a:/host/data"
    assert environment["SWEEPSTAKE_RESULT_DIR"] == "/a/results"
    assert json.loads(environment["SWEEPSTAKE_MOUNTS"]) == {"/data": "/host/data"}
    assert environment["SWEEPSTAKE_RESULTS_PATH"] == "/a/own/results.json"
    assert environment["SWEEPSTAKE_CHECKPOINT_DIR"] == "/c"
    assert environment["SWEEPSTAKE_HP_DATA_PATH"] == "/host/data/x"
    assert json.loads(environment["SWEEPSTAKE_HYPERPARAMETERS"]) == FACTS.hyperparameters
    assert made.image is None


@pytest.mark.parametrize("path", [None, "relative", "/", "//"])
def test_a_task_that_says_no_folder_for_results_is_told_one(path: str | None) -> None:
    """Also where what it says could not be one."""
    task = TaskSpec.from_json({"image": {"docker": "i"}, "result": path and {"path": path}, "command": ["a"]})
    made = run(task)
    assert made.environment["SWEEPSTAKE_RESULT_DIR"] == "/sweepstake/results"
    assert on_host(made).environment["SWEEPSTAKE_RESULT_DIR"] == "/a/results"


def test_gpus_are_named_on_the_host() -> None:
    """By both names; a job without any sees none."""
    visible = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    environment = on_host(run(contained=False)).environment
    assert [environment[name] for name in visible] == ["2,3", "2,3"]
    environment = on_host(run(contained=False, share=Share(room=Room(cpus=1.0)))).environment
    assert [environment[name] for name in visible] == ["", "-1"]


def test_a_task_without_a_sweep_keeps_its_braces() -> None:
    """Its text is untouched."""
    assert run(sweeps=False).arguments == ["x.py", "--lr={lr}", "5"]


def test_items_are_as_they_were_written() -> None:
    """Numbers of a file keep their text."""
    task = TaskSpec.from_json({"image": {"docker": "i"}, "command": ["a"], "arguments": [1.50, 7, "007"]})
    assert run(task, sweeps=False).arguments == ["1.5", "7", "007"]


def test_secrets_are_apart_and_not_shown() -> None:
    """A task cannot replace what we tell it."""
    task = TASK.with_env_var("TOKEN", secret="hf").with_env_var("BEAKER_JOB_ID", secret="hf")
    task = task.with_env_var("EMPTY").with_env_var("SWEEPSTAKE_JOB_ID", "other")
    made = run(task)
    assert made.secrets == {"TOKEN": "secret of hf"}
    assert "secret of" not in repr(made)
    assert (made.environment["EMPTY"], made.environment["SWEEPSTAKE_JOB_ID"]) == ("", "job")


def test_room_is_what_resources_say() -> None:
    """A task that does not say how many processors takes one."""
    assert room_of(TASK) == Room(cpus=1.0)
    task = TASK.with_resources(gpu_count=2, memory="2GiB", cpu_count=0.5)
    assert room_of(task) == Room(cpus=0.5, gpus=2, memory=2 * 1024**3)
    assert run(task).memory == 2 * 1024**3
    assert room_of(TASK.with_resources(gpu_count=1)) == Room(cpus=1.0, gpus=1)


def test_a_timeout_is_in_seconds() -> None:
    """None is none."""
    assert timeout_of(attrs.evolve(TASK, timeout=90 * 10**9)) == 90.0
    assert timeout_of(TASK) is None


@pytest.mark.parametrize(
    "task, contained, told",
    [
        (TaskSpec.new("t", docker_image="i"), False, "which needs a container engine"),
        (TaskSpec.new("t", beaker_image="ai2/i", command=["a"]), True, "the image 'ai2/i' of Beaker is unknown here"),
        (TaskSpec.new("t", docker_image="--rm", command=["a"]), True, "'--rm' is not the name of an image"),
        (TASK.with_env_var("A", secret="missing"), False, "the secret 'missing'"),
        (TASK.with_dataset("/x", secret="missing"), True, "the secret 'missing'"),
        (TASK.with_dataset("/x", weka="bucket"), True, "the bucket 'bucket' is unknown here"),
    ],
)
def test_what_a_machine_lacks_is_told_before(task: TaskSpec, contained: bool, told: str) -> None:
    """Before anything is claimed for it."""
    with pytest.raises(ConfigurationError, match=told):
        check_task(task, Sources(), secret, contained=contained)


def test_a_task_that_can_be_run_here_passes() -> None:
    """Results of others may not be there yet, and an image is not needed on the host."""
    check_task(
        TASK.with_dataset("/x", result="prepare").with_env_var("A", secret="a"), Sources(), secret, contained=True
    )
    check_task(TaskSpec.new("t", beaker_image="ai2/i", arguments=["a"]), Sources(), secret, contained=False)
