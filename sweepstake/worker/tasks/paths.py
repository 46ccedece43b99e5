"""Paths of a task that are elsewhere on the host, replaced where they stand in what it runs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["normal", "replacing"]

#: What a path that begins a word may follow: the start of the text, white space, a shell's operators, which end words,
#: and what divides words into parts.
_BEFORE: Final = r"""(?<![^\s=:,'"`;|&()<>])"""
#: What may follow it, so that `/data` is not found in `/data2` or `/data.txt`.
_BEHIND: Final = r"""(?![^\s/=:,'"`;|&()<>\]}\\])"""


def normal(path: str) -> str:
    """Return an absolute path without what changes nothing: repeated slashes, dots, and a slash at its end."""
    return posixpath.normpath("/" + path.lstrip("/"))


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
