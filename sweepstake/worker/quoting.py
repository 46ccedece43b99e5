"""Where in a command text from a job is put, and which text may be put there without becoming code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from enum import Enum
from pathlib import PurePath
from typing import Final

__all__ = ["Place", "place_of", "quoted"]


class Place(Enum):
    """How a place in a command takes text."""

    #: An argument of its own, which nobody reads as code: the text exactly.
    WHOLE = "whole"
    #: Part of such an argument.
    PART = "part"
    #: Among the words of a shell's script, outside of quotes: the text, quoted for the shell.
    WORD = "word"
    #: Where something may read it as code, and no quoting is safe: only text that means nothing to anybody.
    CODE = "code"


#: Shells that read a word in single quotes as it is.
_SHELLS: Final = {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"}
#: Programs that hand their arguments to a shell, or run what they find in them.
_READERS: Final = {
    *("ssh", "slogin", "rsh", "mosh", "pdsh", "clush", "make", "gmake", "watch", "parallel", "tmux"),
    *("eval", "sed", "awk", "gawk", "mawk"),
}
#: An option whose argument is code, such as that of `sh -lc` or `perl -e`; it may stand before or behind its `=`.
_CODE_OPTION: Final = re.compile(r"-[a-zA-Z]{0,5}c|-[a-z]?e|-ex|-S|--?(command|eval|exec|execute|wrap|split-string)")
#: Signs of a script: an argument without any of them is read by nobody as one.
_SIGNS: Final = re.compile(r"""[\s'"`$;&|<>(){}\[\]*?!#~\\^]""")
#: What in a script reads words a second time, as code or as arithmetic, or ends quotes earlier than it seems to.
_DEEP: Final = re.compile(
    r"[`#\[]|\$[({\[]|<<|\(\(|(?:^|\s)-\w*c\b|\b(?:"
    + "|".join(sorted({*_READERS, "trap", "let", "declare", "typeset", "local", "readonly", "unset", "read"}))
    + r"|alias|xargs|su)\b"
    + rf"|(?:^|[\s;&|(])(?:\S*/)?(?:{'|'.join(sorted(_SHELLS))}|fish|csh|tcsh)(?=[\s;&|)]|$)"
    + r"|\|&?\s*(?:\S*/)?(?:python|perl|ruby|node|php)"
)
#: Text that means nothing to a shell, in any quotes, nor to any program that looks for code.
_PLAIN: Final = re.compile(r"[\w.,:=@%+/-]+")
#: What a word may begin with, so that it is neither an option nor anything else but a name.
_BEGINNING: Final = re.compile(r"\w")
#: A character behind which a word goes on.
_GOING_ON: Final = re.compile(r"[\w.,:=@%+/-]")


def place_of(command: Sequence[str], position: int, start: int, end: int) -> Place:
    """Tell how the place in `command[position]` from `start` to `end` takes text."""
    argument, before = command[position], command[:position]
    if any(PurePath(word).name in _READERS for word in before):
        return Place.CODE
    if _CODE_OPTION.fullmatch(argument[:start].rstrip("=")):
        return Place.CODE
    if before and _CODE_OPTION.fullmatch(before[-1]):
        free = _is_of_shell(before) and _is_free(argument, start)
        return Place.WORD if free else Place.CODE
    if (start, end) == (0, len(argument)):
        return Place.WHOLE
    return Place.CODE if _SIGNS.search(argument) else Place.PART


def quoted(text: str, place: Place, before: str, *, path: bool) -> str | None:
    """Return the text in the form that the place takes; None if it must not stand there.

    Args:
        text: from a job, which anybody may have written.
        place: how it stands.
        before: what stands before it in the same argument.
        path: whether it may be made part of a path, which must not lead out of its folder.
    """
    begins = not (before and _GOING_ON.fullmatch(before[-1]))
    if begins and path and text.startswith("-"):
        return None
    if place is Place.WHOLE:
        return text
    if path and (".." in text.split("/") or (begins and text.startswith("/"))):
        return None
    if place is Place.PART:
        return text
    if place is Place.WORD:
        return shlex.quote(text)
    if _PLAIN.fullmatch(text) and (not begins or not path or _BEGINNING.match(text)):
        return text
    return None


def _is_of_shell(before: Sequence[str]) -> bool:
    """Tell whether what follows is the script of a shell: its name, options, and `-c` at last."""
    for i in range(len(before) - 2, -1, -1):
        if PurePath(before[i]).name in _SHELLS:
            return True
        if not before[i].startswith(("-", "+")) and before[i - 1] not in ("-o", "+o", "-O", "+O"):
            return False
    return False


def _is_free(script: str, at: int) -> bool:
    """Tell whether a shell takes what stands at this place for a plain word, or part of one."""
    if _DEEP.search(script):
        return False
    quote = ""
    escaped = False
    for character in script[:at]:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return not quote and not escaped and not script[:at].endswith("$")
