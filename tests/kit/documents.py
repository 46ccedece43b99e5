"""Runs the examples of README.md and docs/: Python blocks as they stand, `console` blocks as shell commands.

It is a plugin of pytest (`-p` in `pyproject.toml`): a `conftest.py` in tests/ is not asked about files outside.
"""

import doctest
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from sysconfig import get_path
from typing import Final

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser as MarkdownCodeBlockParser
from sybil.parsers.markdown import PythonCodeBlockParser as MarkdownPythonParser
from sybil.parsers.markdown import SkipParser as MarkdownSkipParser
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.sybil import SybilCollection

from tests.kit.checkout import ROOT
from tests.kit.raylets import raylets
from tests.kit.serving import served
from tests.kit.slurm import slurm

_COMMAND_SECONDS = 120
#: Pages that need more than a store, with the fixture that gives it.
_WORLDS: Final = {"docs/howto/on-slurm.md": "documented_cluster", "docs/howto/on-ray.md": "documented_ray"}
_SAME = doctest.OutputChecker()


@pytest.fixture(scope="module")
def documented_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the examples of one page a folder with docs/examples in it, a home and an empty store of their own."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "docs" / "examples", folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SWEEPSTAKE_", "XDG_")):
                patch.delenv(name)
        patch.setenv("HOME", str(folder / "home"))
        patch.setenv("SWEEPSTAKE_URL", f"sqlite:///{folder}/store.db")
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("COLUMNS", "120")
        patch.chdir(folder)
        yield


@pytest.fixture(scope="module")
def documented_cluster(documented_world: None) -> Iterator[None]:
    """Give the examples of a page a real Slurm, a server as their store, and a clone of the sources to install."""
    del documented_world
    folder = Path.cwd()
    _clone_into(folder / "sweepstake")
    with pytest.MonkeyPatch.context() as patch, slurm() as cluster, served(os.environ["SWEEPSTAKE_URL"]) as server:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        patch.setenv("SWEEPSTAKE_URL", server.url)
        patch.setenv("SWEEPSTAKE_TOKEN", server.token)
        patch.setenv("SWEEPSTAKE_CHECKPOINTS", str(folder / "home" / "checkpoints"))
        patch.setenv("PATH", f"{folder}/home/sweeps/bin{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def documented_ray(documented_world: None) -> Iterator[None]:
    """Give the examples of a page a real Ray cluster of two nodes, a server, and a clone of the sources to install.

    What the sources need need not be installed again: it is found where it is.
    """
    del documented_world
    folder = Path.cwd()
    _clone_into(folder / "sweepstake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}/home/sweeps/bin{os.pathsep}{os.environ['PATH']}")
        patch.setenv("PYTHONPATH", get_path("purelib"))
        patch.setenv("SWEEPSTAKE_CHECKPOINTS", str(folder / "home" / "checkpoints"))
        patch.setenv("SWEEPSTAKE_STATE", str(folder / "home" / "state"))
        with raylets(2, 2) as cluster, served(os.environ["SWEEPSTAKE_URL"]) as server:
            patch.setenv("RAY_ADDRESS", cluster.address)
            patch.setenv("SWEEPSTAKE_URL", server.url)
            patch.setenv("SWEEPSTAKE_TOKEN", server.token)
            yield


def _clone_into(folder: Path) -> None:
    """Copy what is needed to install Sweepstake."""
    folder.mkdir()
    for part in ("sweepstake", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)


def run_console(example: Example) -> str | None:
    """Run the lines that begin with `$ `; the lines below each, if any, are what it must print."""
    for session in f"\n{example.parsed}".split("\n$ ")[1:]:
        command, _, expected = session.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command[:-1]} {more.removeprefix('> ')}"
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            return f"$ {command}\nended with exit code {done.returncode}\n{done.stdout}{done.stderr}"
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if expected.strip() and not _SAME.check_output(expected, done.stdout, options):
            return f"$ {command}\nprinted\n{done.stdout}{done.stderr}\ninstead of\n{expected}"
    return None


def _pages(*patterns: str, fixture: str, excludes: Sequence[str] = ()) -> Sybil:
    """Return what runs the examples of pages of docs/, in a world of their own."""
    return Sybil(
        parsers=[PythonCodeBlockParser(), CodeBlockParser("console", run_console), SkipParser()],
        path=str(ROOT),
        patterns=patterns,
        excludes=["docs/changes/*", "docs/reference/generated/*", *excludes],
        fixtures=[fixture],
    )


pytest_collect_file = SybilCollection(
    [
        Sybil(
            parsers=[MarkdownPythonParser(), MarkdownCodeBlockParser("console", run_console), MarkdownSkipParser()],
            path=str(ROOT),
            patterns=["README.md"],
            fixtures=["documented_world"],
        ),
        _pages("docs/*.md", "docs/**/*.md", fixture="documented_world", excludes=list(_WORLDS)),
        *(_pages(page, fixture=fixture) for page, fixture in _WORLDS.items()),
    ]
).pytest()
