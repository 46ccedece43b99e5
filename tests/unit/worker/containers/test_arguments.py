"""What engines are called with, compared with lists as they were recorded; nothing runs."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.worker.containers.arguments import (
    Call,
    Engine,
    EngineKind,
    list_call,
    pull_call,
    remove_call,
    run_call,
    there_call,
)
from sweepstake.worker.tasks.run import TaskRun
from sweepstake.worker.tasks.sources import Mount

FILE = Path("/a/variables")
RUN = TaskRun(
    command=["python", "-u"],
    arguments=["x.py", "a b"],
    environment={"LINES": "a\nb", "PATH": "/opt/bin"},
    secrets={"TOKEN": "hidden"},
    mounts=[Mount(host=Path("/h/data"), path="/data"), Mount(host=Path("/a/results"), path="/results", write=True)],
    image="ghcr.io/x/y:1",
    name="sweepstake-0-1",
    gpus=("2", "3"),
    memory=2 * 1024**3,
    shared_memory=5 * 1024**3,
    host_networking=True,
)
PODMAN = Engine(kind=EngineKind.PODMAN, program="/usr/bin/podman", global_args=("--log-level", "error"))
DOCKER = Engine(kind=EngineKind.DOCKER, program="/usr/bin/docker", init=True, run_args=("--user", "1:1"))
APPTAINER = Engine(kind=EngineKind.APPTAINER, program="/usr/bin/apptainer")


def call(engine: Engine, **changes: Any) -> Call:
    """Return the call for the run above with some changes."""
    return run_call(engine, attrs.evolve(RUN, **changes), {"l": "v"}, FILE)


@pytest.mark.parametrize(
    "name, engine, changes",
    [
        ("podman", PODMAN, {}),
        ("podman-amd", attrs.evolve(PODMAN, amd=True), {}),
        ("podman-least", PODMAN, {"gpus": (), "memory": None, "host_networking": False, "command": [], "mounts": []}),
        ("docker", DOCKER, {}),
        ("docker-amd", attrs.evolve(DOCKER, amd=True), {}),
        ("apptainer", APPTAINER, {}),
        ("apptainer-amd", attrs.evolve(APPTAINER, amd=True), {"command": []}),
    ],
)
def test_a_container_is_run_as_recorded(name: str, engine: Engine, changes: dict[str, Any]) -> None:
    """With its GPUs, mounts, memory, network and names of variables; no value stands among the arguments."""
    recorded = json.loads((Path(__file__).parent / "recorded.json").read_text())
    made = call(engine, **changes)
    assert list(made.arguments) == recorded[name]
    assert "hidden" not in repr(made)


def test_variables_reach_a_container_but_not_its_engine() -> None:
    """Lines arrive through the engine's environment; what the engine would read itself, through a file."""
    made = call(PODMAN)
    assert made.environment == {"LINES": "a\nb", "TOKEN": "hidden"}
    assert made.file == "PATH=/opt/bin\n"
    assert call(APPTAINER).environment["APPTAINERENV_PATH"] == "/opt/bin"


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINERS_CONF", "HTTPS_PROXY", "no_proxy"]
)
def test_what_an_engine_reads_itself_is_never_in_its_environment(name: str) -> None:
    """A task must not lead the engine elsewhere."""
    made = call(PODMAN, environment={name: "x"}, secrets={})
    assert (made.environment, made.file) == ({}, f"{name}=x\n")
    with pytest.raises(ConfigurationError, match="cannot have line breaks"):
        call(DOCKER, environment={name: "x\ny"})


@pytest.mark.parametrize("name", ["A*", "*", "A B", "#A", "1A", "Ä"])
def test_a_name_that_an_engine_takes_for_a_pattern_is_refused(name: str) -> None:
    """`--env A*` would hand on the worker's own variables."""
    for engine in (PODMAN, DOCKER, APPTAINER):
        with pytest.raises(ConfigurationError, match="cannot be a variable in a container"):
            call(engine, environment={name: "x"})


@pytest.mark.parametrize("path", ["/a,readonly=false", "/a:b", "/a b", '/a"'])
def test_a_path_that_would_be_divided_is_refused(path: str) -> None:
    """It could mount something else."""
    for engine in (PODMAN, DOCKER, APPTAINER):
        for mount in (Mount(host=Path(path), path="/x"), Mount(host=Path("/x"), path=path)):
            with pytest.raises(ConfigurationError, match="cannot be mounted"):
                call(engine, mounts=[mount])


def test_a_network_of_the_configuration_stands_alone() -> None:
    """Engines refuse two."""
    made = call(attrs.evolve(PODMAN, run_args=("--network=host",)))
    assert [each for each in made.arguments if "network" in each] == ["--network=host"]


def test_images_are_got_and_containers_removed() -> None:
    """Each engine in its own way."""
    there, remove = there_call(PODMAN, "i"), remove_call(PODMAN, "n")
    assert there is not None
    assert remove is not None
    assert there.arguments[3:] == ["image", "inspect", "--format", "{{.Id}}", "i"]
    assert remove.arguments[3:] == ["rm", "--force", "--volumes", "--time", "0", "--ignore", "n"]
    assert pull_call(DOCKER, "i", FILE).arguments == ["/usr/bin/docker", "pull", "--quiet", "i"]
    assert pull_call(APPTAINER, "i", FILE).arguments == ["/usr/bin/apptainer", "pull", "/a/variables", "docker://i"]
    assert pull_call(APPTAINER, "oras://i", FILE).arguments[-1] == "oras://i"
    assert [f(APPTAINER, "x") for f in (there_call, remove_call, list_call)] == [None, None, None]
