"""Paths of a task that are elsewhere on the host, replaced where they stand in what it runs."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Final

__all__ = ["missing_above", "normal", "replacing"]

#: What a path that begins a word may follow: the start of the text, white space, a shell's operators, which end words,
#: and what divides words into parts.
_BEFORE: Final = r"""(?<![^\s=:,'"`;|&()<>])"""
#: What may follow it, so that `/data` is not found in `/data2` or `/data.txt`.
_BEHIND: Final = r"""(?![^\s/=:,'"`;|&()<>\]}\\])"""


def normal(path: str) -> str:
    """Return an absolute path without what changes nothing: repeated slashes, dots, and a slash at its end."""
    return posixpath.normpath("/" + path.lstrip("/"))


def missing_above(paths: Collection[str], is_there: Callable[[str], bool] = os.path.lexists) -> list[str]:
    """Return the folders in which paths of a task lie and which this host does not have, the outermost first.

    In a container they are there, so that a task may look through several mounts at once: ``cat /in/*/words``.

    Args:
        paths: in their normal form; what lies within one of them is no folder above.
        is_there: tells what this host has.
    """
    above = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    inner = {each for each in above if any(PurePosixPath(each).is_relative_to(path) for path in paths)}
    return sorted(each for each in above - inner if each != "/" and not is_there(each))


def replacing(folders: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces paths in a text by others, wherever one begins a word or follows `=`, `:`, `,` or a quote.

    Of two paths of which one lies in the other, the inner one is replaced where it is meant.

    Args:
        folders: for each path, in its normal form, what stands in its place.
    """
    if not folders:
        return str
    longest_first = sorted(folders, key=len, reverse=True)
    pattern = re.compile(_BEFORE + "(" + "|".join(map(re.escape, longest_first)) + ")" + _BEHIND)
    return lambda text: pattern.sub(lambda match: folders[match[1]], text)
