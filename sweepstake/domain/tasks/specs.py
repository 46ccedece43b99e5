"""What an experiment runs, as it is stored with it."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from sweepstake.domain.lengths import at_most
from sweepstake.domain.schema import OMIT_DEFAULT, narrowed
from sweepstake.values import JsonObject

__all__ = ["MAX_SPEC", "SpecDraft", "SpecRecord", "StoredSpec"]

#: The most characters of a spec as it was written.
MAX_SPEC: Final = 16 * 1024 * 1024


@frozen(kw_only=True)
class SpecDraft:
    """A spec that shall be stored.

    Attributes:
        text: as it was written, for people to read; nobody is run by it.
        document: what it says, as JSON.
        snapshot: what the code was where it was submitted, if that was looked at.
    """

    text: str = field(validator=at_most(MAX_SPEC), metadata=narrowed({"type": "string", "maxLength": MAX_SPEC}))
    document: JsonObject
    snapshot: JsonObject | None = field(default=None, metadata=OMIT_DEFAULT)


@frozen(kw_only=True)
class SpecRecord:
    """One version of what an experiment runs; see `SpecDraft`.

    Attributes:
        version: counted from 1.
        created_at: Unix time in seconds.
    """

    version: int
    text: str
    document: JsonObject
    created_at: float
    snapshot: JsonObject | None = field(default=None, metadata=OMIT_DEFAULT)


@frozen
class StoredSpec:
    """A spec was stored.

    Attributes:
        version: under which; counted from 1.
    """

    version: int
