"""Runs the examples of README.md and docs/: Python blocks as they stand, `console` blocks as shell commands.

It is a plugin of pytest (`-p` in `pyproject.toml`): a `conftest.py` in tests/ is not asked about files outside.
"""

import doctest
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser as MarkdownCodeBlockParser
from sybil.parsers.markdown import PythonCodeBlockParser as MarkdownPythonParser
from sybil.parsers.markdown import SkipParser as MarkdownSkipParser
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.kit.checkout import ROOT

_COMMAND_SECONDS = 120
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


pytest_collect_file = (
    Sybil(
        parsers=[MarkdownPythonParser(), MarkdownCodeBlockParser("console", run_console), MarkdownSkipParser()],
        path=str(ROOT),
        patterns=["README.md"],
        fixtures=["documented_world"],
    )
    + Sybil(
        parsers=[PythonCodeBlockParser(), CodeBlockParser("console", run_console), SkipParser()],
        path=str(ROOT),
        patterns=["docs/*.md", "docs/**/*.md"],
        excludes=["docs/changes/*", "docs/reference/generated/*"],
        fixtures=["documented_world"],
    )
).pytest()
