"""A real podman, with an image of a single program; tests that need it are skipped loudly where it is missing."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from sweepstake.worker.containers.arguments import Engine, EngineKind

__all__ = ["IMAGE", "podman_alone", "podman_engine", "podman_runs", "settings_of", "with_python"]

IMAGE = "sweepstake-test/tiny:1"
_PROGRAMS = ("sh", "cat", "echo", "env", "id", "ls", "mkdir", "printf", "sleep", "stat", "touch", "true", "df", "seq")
#: What podman needs where control groups are not delegated, as within most containers.
_GLOBAL = ("--runtime", "runc", "--cgroup-manager", "cgroupfs")
_RUN = ("--network=host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


def podman_engine(tmp_path: Path) -> Engine:
    """Return podman as an engine; a test that cannot have it fails in CI, and is skipped elsewhere."""
    problem = _problem()
    if problem:
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    program = shutil.which("podman")
    assert program is not None
    return Engine(
        kind=EngineKind.PODMAN, program=program, global_args=_GLOBAL, run_args=_RUN, images=tmp_path, init=True
    )


def with_python(engine: Engine) -> Engine:
    """Return an engine whose containers have the Python of the tests, so that the image needs none."""
    folders = sorted({Path(each).resolve() for each in ("/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix)})
    mounted: list[Path] = []
    for folder in folders:
        if folder.is_dir() and not any(folder.is_relative_to(each) for each in mounted):
            mounted.append(folder)
    links = [(each, Path(each).resolve()) for each in ("/lib", "/lib64") if Path(each).is_symlink()]
    volumes = [f"--volume={folder}:{folder}:ro" for folder in mounted]
    volumes += [f"--volume={folder}:{each}:ro" for each, folder in links]
    path = f"--env=PATH={sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"
    return evolve(engine, run_args=(*engine.run_args, *volumes, path))


def settings_of(engine: Engine) -> str:
    """Return what a configuration file says of an engine."""
    arguments = f"global_args = {json.dumps(engine.global_args)}\nrun_args = {json.dumps(engine.run_args)}"
    return f'[container]\nengine = "{engine.kind}"\n{arguments}\n'


@contextmanager
def podman_alone() -> Iterator[None]:
    """Hold what no other test holds that starts workers for containers, or counts those of dead ones.

    A worker ends what a dead one of its user has left, whichever test that was of.
    """
    with (Path(tempfile.gettempdir()) / f"sweepstake-tests-{os.geteuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def podman_runs() -> bool:
    """Tell whether podman runs containers here."""
    return not _problem()


@cache
def _problem() -> str:
    """Make the image; return why that, or running it, is not possible."""
    podman, busybox = shutil.which("podman"), shutil.which("busybox")
    if podman is None or busybox is None or shutil.which("runc") is None:
        return "podman is missing: apt-get install podman runc busybox-static catatonit"
    script = f"""
    set -e
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    for folder in bin etc tmp proc dev sys root run; do mkdir "$root/$folder"; done
    cp {busybox} "$root/bin/busybox"
    for program in {" ".join(_PROGRAMS)}; do ln -s busybox "$root/bin/$program"; done
    tar -C "$root" -c . | {podman} import --quiet - {IMAGE}
    {podman} {" ".join(_GLOBAL)} run --rm --init {" ".join(_RUN)} {IMAGE} true
    """
    made = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    return "" if made.returncode == 0 else f"podman runs no containers here: {made.stderr.strip()[-500:]}"
