"""The README, typed as it stands into a fresh home by somebody who has never seen the project."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.checkout import ROOT

#: Where the README's own server listens.
PORT = 8437
#: What makes an environment and installs into it; `.ci/run` runs these lines.
_SETUP = "python3 -m venv"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language, in their order."""
    found = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in found if not block.startswith(_SETUP)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the README speaks of: the examples, and the environment of its first line."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "docs" / "examples", clone / "docs" / "examples")
    (clone / ".venv-demo").symlink_to(sys.prefix)
    (tmp_path / "fresh").mkdir()
    return clone


def typed(clone: Path, program: list[str], text: str) -> None:
    """Type text into a program as it stands, in the clone, in a fresh home."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SWEEPSTAKE_", "XDG_", "VIRTUAL_ENV", "PYTHON"))
    }
    ran = subprocess.run(
        program,
        input=text,
        cwd=clone,
        env={**environment, "HOME": str(clone.parent / "fresh")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert "Traceback" not in ran.stderr, ran.stderr


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs to run in a virtual environment, as the README says")
def test_the_readme_runs_from_top_to_bottom(clone: Path) -> None:
    """First its Python, in one interpreter, then its shell, each block on what the blocks before have made."""
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", PORT)) != 0, f"something else listens on the README's port {PORT}"
    assert blocks("python")
    assert blocks("sh")
    typed(clone, [sys.executable, "-W", "error", "-"], "\n".join(blocks("python")))
    typed(clone, ["bash", "-euo", "pipefail"], "\n".join(blocks("sh")))


def test_nothing_is_installed_by_a_name_that_no_index_has() -> None:
    """Until a release is uploaded, pages and messages speak of the clone."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "sweepstake").rglob("*.py")]
    assert [str(page) for page in pages if re.search(r"pip install[^`\n]* '?sweepstake\b", page.read_text())] == []
