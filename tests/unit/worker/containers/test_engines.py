"""Which engine answers: programs that stand in for engines are real ones, and podman is itself."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.worker.containers.arguments import EngineKind
from sweepstake.worker.containers.engines import ContainerSettings, find_engine, read_container_settings
from tests.kit.podman import podman_engine


def install(folder: Path, **answers: str) -> Any:
    """Make engines that answer as shell scripts do, and return what finds them."""
    for name, answer in answers.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\ntest "$1" = info || test "$1" = version || exit 99\n{answer}\n')
        program.chmod(0o755)
    return lambda name: shutil.which(name, path=str(folder))


def test_the_first_engine_that_answers_is_taken(tmp_path: Path) -> None:
    """Podman before docker before apptainer."""
    which = install(tmp_path, podman="exit 0", docker="exit 0", apptainer="exit 0")
    assert find_engine(ContainerSettings(), tmp_path, which).kind is EngineKind.PODMAN
    (tmp_path / "podman").unlink()
    assert find_engine(ContainerSettings(), tmp_path, which).kind is EngineKind.DOCKER


def test_a_client_without_its_daemon_is_not_there(tmp_path: Path) -> None:
    """It is installed, but does not answer."""
    which = install(tmp_path, docker="echo Client: ok; echo no daemon >&2; exit 1", apptainer="exit 0")
    engine = find_engine(ContainerSettings(), tmp_path, which)
    assert (engine.kind, engine.program) == (EngineKind.APPTAINER, str(tmp_path / "apptainer"))


def test_an_engine_that_is_named_is_the_one_that_is_meant(tmp_path: Path) -> None:
    """With its arguments; no other is asked."""
    which = install(tmp_path, podman="exit 0", docker="exit 0")
    settings = ContainerSettings(engine=EngineKind.DOCKER, run_args=("--user", "1"))
    engine = find_engine(settings, tmp_path, which)
    assert (engine.kind, engine.run_args, engine.init) == (EngineKind.DOCKER, ("--user", "1"), True)
    with pytest.raises(ConfigurationError, match="no container engine works here: apptainer is not installed; or use"):
        find_engine(ContainerSettings(engine=EngineKind.APPTAINER), tmp_path, which)


def test_what_each_engine_answered_is_told(tmp_path: Path) -> None:
    """So that people know what to mend."""
    which = install(tmp_path, podman="echo >&2; echo no runtime >&2; exit 125", docker="exit 1")
    with pytest.raises(ConfigurationError) as raised:
        find_engine(ContainerSettings(), tmp_path, which)
    assert str(raised.value) == (
        "no container engine works here: podman does not answer: no runtime; docker does not answer: it said nothing; "
        "apptainer is not installed; or use --no-container"
    )


def test_podman_itself_answers(tmp_path: Path) -> None:
    """With the arguments of the configuration before its verb."""
    podman = podman_engine(tmp_path)
    found = find_engine(ContainerSettings(engine=EngineKind.PODMAN, global_args=podman.global_args), tmp_path)
    assert (found.program, found.global_args) == (podman.program, podman.global_args)
    with pytest.raises(ConfigurationError, match="podman does not answer"):
        find_engine(ContainerSettings(engine=EngineKind.PODMAN, global_args=("--no-such-option",)), tmp_path)


@pytest.mark.parametrize(
    "table, told",
    [
        ([], "c.toml: container: must be a table"),
        ({"engines": "podman"}, "c.toml: container.engines: is not a setting; there are engine, global_args, run_args"),
        ({"engine": "lxc"}, "c.toml: container.engine: must be one of podman, docker, apptainer"),
        ({"run_args": "--user 1"}, "c.toml: container.run_args: must be a list of texts"),
        ({"global_args": [1]}, "c.toml: container.global_args: must be a list of texts"),
    ],
)
def test_a_wrong_configuration_is_told(table: Any, told: str) -> None:
    """By the key that is wrong."""
    with pytest.raises(ConfigurationError, match=told):
        read_container_settings(table, "c.toml")


def test_a_configuration_is_read() -> None:
    """Without one, nothing is said."""
    assert read_container_settings(None, "c.toml") == ContainerSettings()
    table = {"engine": "podman", "global_args": ["--runtime", "runc"], "run_args": []}
    expected = ContainerSettings(engine=EngineKind.PODMAN, global_args=("--runtime", "runc"))
    assert read_container_settings(table, "c.toml") == expected
