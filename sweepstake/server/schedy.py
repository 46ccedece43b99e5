"""What clients of Schedy are shown, and what they mean, where their words differ from ours.

Their JSON is plain: a key may begin with `$`, and NaN and the infinities are bare tokens, as their library writes and
reads them. Ours encodes both, so what passes between them and us is encoded on the way in and revived on the way out.

Their listing of experiments breaks at the first search they do not know. So they see one as a manual search, from
which they can claim what it proposes; and when they write that back, the search stays as it is.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from sweepstake.domain.records import ExperimentDraft, ExperimentRecord, SearchDefinition
from sweepstake.errors import NotFoundError
from sweepstake.queue.calls import GetExperiment
from sweepstake.queue.here import Here
from sweepstake.slices import in_parts, let_go, read_json, write_json
from sweepstake.values import plain, revived

__all__ = ["as_meant", "as_shown", "encoded", "plain_text"]

_KNOWN: Final = {"Manual", "RandomSearch", "PBT"}
_MANUAL: Final = SearchDefinition("Manual")
#: The most levels of a body around the values of a user in it.
_ENVELOPE: Final = 4


def as_shown(record: ExperimentRecord) -> ExperimentRecord:
    """Return an experiment with a search that the client knows."""
    return record if record.search.kind in _KNOWN else evolve(record, search=_MANUAL)


def as_meant(draft: ExperimentDraft, here: Here, name: str) -> ExperimentDraft:
    """Return a definition with the search that is stored, where the client was shown a manual one for it."""
    if draft.search != _MANUAL:
        return draft
    try:
        stored = here.send(GetExperiment(name=name)).search
    except NotFoundError:
        return draft
    return draft if stored.kind in _KNOWN else evolve(draft, search=stored)


def encoded(tree: Any) -> Any:
    """Return in our encoding the plain JSON that a client of Schedy sent.

    Raises:
        InvalidInputError: it nests too deep, or holds what is not text.
    """
    return plain(tree, around=_ENVELOPE)


def plain_text(body: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return as plain JSON the text of an answer that is in our encoding."""
    if not _holds(body, b'"$'):  # as in most
        return body
    tree = read_json(b"".join(body))
    shown = revived(tree)
    let_go(tree)
    text = write_json(shown, allow_nan=True)
    let_go(shown)
    return in_parts((text,))


def _holds(parts: tuple[bytes, ...], mark: bytes) -> bool:
    last = b""
    for part in parts:
        if mark in part or mark in last + part[:1]:
            return True
        last = part[-1:]
    return False
