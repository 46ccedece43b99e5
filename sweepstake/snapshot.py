"""What somebody's code was when a spec was submitted: its commit, what differs from that, and what is installed."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import threading
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

from attrs import frozen

from sweepstake.values import JsonObject

__all__ = ["MAX_DIFF", "Snapshot", "take_snapshot"]

#: The most bytes of a diff that are kept.
MAX_DIFF: Final = 1024 * 1024
#: Seconds that git may take altogether: nobody waits long for a submit because a repository is large.
_PATIENCE: Final = 10.0
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


def take_snapshot(folder: Path, patience: float = _PATIENCE) -> Snapshot:
    """Return the snapshot of the code in a folder; without git, or a repository, of what is installed alone.

    Nothing is asked of other machines, and addresses of such, which may hold passwords, are not looked at.

    Args:
        folder: any folder of a repository, or another.
        patience: seconds that git may take altogether; what it does not tell in time is left out, and nothing is
            `whole` then.
    """
    git = _Git(folder, patience)
    commit = git.line("rev-parse", "--verify", "--quiet", "HEAD")
    diff = git.ask("diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--") if commit else b""
    changes = git.ask("status", "--porcelain")
    return Snapshot(
        commit=commit,
        branch=git.line("symbolic-ref", "--quiet", "--short", "HEAD"),
        dirty=bool(changes) or bool(diff),
        diff=(diff or b"")[:MAX_DIFF].decode("utf-8", "replace"),
        whole=diff is not None and len(diff) <= MAX_DIFF and not git.is_late,
        python=platform.python_version(),
        packages=_packages(),
    )


def _packages() -> tuple[str, ...]:
    found = {(each.metadata["Name"] or "").lower(): each.version for each in metadata.distributions()}
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()) if name)


class _Git:
    """Asks git about a folder.

    Args:
        folder: where.
        patience: seconds that all answers together may take.
    """

    def __init__(self, folder: Path, patience: float) -> None:
        self._folder = folder
        self._until = time.monotonic() + patience

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._until

    def line(self, *arguments: str) -> str | None:
        """Return the one line that git prints; None if there is none."""
        return (self.ask(*arguments) or b"").decode("utf-8", "replace").strip() or None

    def ask(self, *arguments: str) -> bytes | None:
        """Return what git prints, of a long text a byte more than is kept.

        Returns:
            None if there is no git, it fails, or it takes too long.
        """
        if self.is_late:
            return None
        try:
            with subprocess.Popen(  # noqa: S603 -- git, with arguments of ours
                [*_GIT, *arguments],
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as process:
                timer = _ending(process, max(self._until - time.monotonic(), 0.0))
                try:
                    assert process.stdout is not None, "it is a pipe"
                    text = process.stdout.read(MAX_DIFF + 1)
                    if len(text) > MAX_DIFF:
                        _end(process)
                        return text
                    return text if process.wait() == 0 else None
                finally:
                    timer.cancel()
                    if process.poll() is None:  # such as after Ctrl-C, which git does not hear
                        _end(process)
        except OSError:
            return None


def _ending(process: subprocess.Popen[bytes], seconds: float) -> threading.Timer:
    """Return a timer that has begun, which ends a process that takes longer."""
    timer = threading.Timer(seconds, _end, [process])
    timer.daemon = True
    timer.start()
    return timer


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git, and what it has started, which would keep its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
