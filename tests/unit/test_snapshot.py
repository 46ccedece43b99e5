"""What somebody's code was when a spec was submitted."""

import os
import platform
import subprocess
import time
from pathlib import Path

import pytest

from sweepstake.snapshot import MAX_DIFF, take_snapshot


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=trunk")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one commit."""
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init")
    (folder / "train.py").write_text("lr = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_a_clean_repository_is_its_commit(repository: Path) -> None:
    """With its branch, and what is installed; equal ones have one digest."""
    found = take_snapshot(repository)
    assert (found.commit, found.branch) == (git(repository, "rev-parse", "HEAD").strip(), "trunk")
    assert (found.dirty, found.diff, found.whole) == (False, "", True)
    assert found.python == platform.python_version()
    assert any(each.startswith("attrs==") for each in found.packages)
    assert take_snapshot(repository).document.digest() == found.document.digest()


def test_what_differs_is_kept(repository: Path) -> None:
    """Of files that git knows; the others make it dirty."""
    (repository / "new.py").touch()
    found = take_snapshot(repository)
    assert (found.dirty, found.diff) == (True, "")
    (repository / "train.py").write_text("lr = 2\n")
    found = take_snapshot(repository)
    assert "-lr = 1\n+lr = 2\n" in found.diff
    assert found.whole


def test_a_long_diff_is_cut(repository: Path) -> None:
    """And it is told."""
    (repository / "train.py").write_text("x = 1\n" * MAX_DIFF)
    found = take_snapshot(repository)
    assert (len(found.diff), found.whole) == (MAX_DIFF, False)


def test_a_folder_without_a_repository_has_no_commit(tmp_path: Path) -> None:
    """Nor has one without git; what is installed is known all the same."""
    found = take_snapshot(tmp_path)
    assert (found.commit, found.branch, found.dirty, found.diff) == (None, None, False, "")
    assert found.packages


def test_nobody_waits_long_for_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that hangs, with what it has started, is ended; what it did not tell is not whole."""
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 600 & sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    began = time.monotonic()
    found = take_snapshot(repository, patience=0.2)
    assert time.monotonic() - began < 60
    assert (found.commit, found.whole) == (None, False)
    assert found.packages


def test_addresses_of_other_machines_are_not_kept(repository: Path) -> None:
    """They may hold passwords."""
    git(repository, "remote", "add", "origin", "https://ada:pa55word@example.org/code.git")
    assert "pa55word" not in take_snapshot(repository).document.text
