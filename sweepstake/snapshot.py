"""What somebody's code was when a spec was submitted: its commit, what differs from that, and what is installed."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
from importlib import metadata
from pathlib import Path
from typing import Final

from attrs import frozen

from sweepstake.values import JsonObject

__all__ = ["MAX_DIFF", "Snapshot", "take_snapshot"]

#: The most bytes of a diff that are kept.
MAX_DIFF: Final = 1024 * 1024
#: Seconds that a call of git may take.
_PATIENCE: Final = 20.0
#: No hook and no monitor of the repository is run, and nothing is written into it.
_GIT: Final = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")


@frozen(kw_only=True)
class Snapshot:
    """The code in a folder, and what runs it.

    Attributes:
        commit: that is checked out; None outside of a git repository, and before its first commit.
        branch: that is checked out, if one is.
        dirty: whether something differs from the commit, files that git does not know included.
        diff: what differs in files that it knows; at most MAX_DIFF bytes of it.
        whole: whether that is all of it.
        python: the version of Python.
        packages: what is installed beside it, as `name==version`, sorted.
    """

    commit: str | None
    branch: str | None
    dirty: bool
    diff: str
    whole: bool
    python: str
    packages: tuple[str, ...]

    @property
    def document(self) -> JsonObject:
        """The same as JSON; its `digest` is the same for equal snapshots."""
        return JsonObject.of(
            {
                "commit": self.commit,
                "branch": self.branch,
                "dirty": self.dirty,
                "diff": self.diff,
                "whole": self.whole,
                "python": self.python,
                "packages": list(self.packages),
            },
            "snapshot",
        )


def take_snapshot(folder: Path) -> Snapshot:
    """Return the snapshot of the code in a folder; without git, or a repository, of what is installed alone."""
    commit = _line(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    diff = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--") if commit else b""
    return Snapshot(
        commit=commit,
        branch=_line(folder, "symbolic-ref", "--quiet", "--short", "HEAD"),
        dirty=bool(_git(folder, "status", "--porcelain")),
        diff=(diff or b"")[:MAX_DIFF].decode("utf-8", "replace"),
        whole=diff is not None and len(diff) <= MAX_DIFF,
        python=platform.python_version(),
        packages=_packages(),
    )


def _packages() -> tuple[str, ...]:
    found = {(each.metadata["Name"] or "").lower(): each.version for each in metadata.distributions()}
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()) if name)


def _line(folder: Path, *arguments: str) -> str | None:
    return (_git(folder, *arguments) or b"").decode("utf-8", "replace").strip() or None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git prints, of a long text a byte more than is kept; None if there is no git, or it fails."""
    try:
        with subprocess.Popen(  # noqa: S603 -- git, with arguments of ours
            [*_GIT, *arguments],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            timer = _killing(process)
            try:
                assert process.stdout is not None, "it is a pipe"
                text = process.stdout.read(MAX_DIFF + 1)
                if len(text) > MAX_DIFF:
                    process.kill()
                    return text
                return text if process.wait() == 0 else None
            finally:
                timer.cancel()
    except OSError:
        return None


def _killing(process: subprocess.Popen[bytes]) -> threading.Timer:
    """Return a timer that has begun, which ends a process that takes too long."""
    timer = threading.Timer(_PATIENCE, process.kill)
    timer.daemon = True
    timer.start()
    return timer
