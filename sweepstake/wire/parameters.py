"""The parameters that calls take in their query and headers."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.keys import ATTEMPT_PATTERN, KEY_PATTERN
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.names import MAX_TEXT
from sweepstake.domain.schema import Schema, ref
from sweepstake.domain.status import JobStatus
from sweepstake.wire.headers import (
    ADDRESS,
    ATTEMPT,
    ETAG_LIST_PATTERN,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OWNER,
)

__all__ = [
    "ATTEMPT_KEY",
    "FILTERS",
    "FORCE",
    "LIMIT",
    "MATCH",
    "MAX_CONDITIONS",
    "NONE_MATCH",
    "ON_DUPLICATE",
    "OP_KEY",
    "START",
    "VERSION",
    "WHICH",
    "Parameter",
]


@frozen(kw_only=True)
class Parameter:
    """A parameter of the query or a header; `many` may be repeated, at most `most` times if that is said."""

    name: str
    schema: Schema
    description: str
    header: bool = False
    many: bool = False
    most: int | None = None


#: The most conditions of a listing: each is asked of every job.
MAX_CONDITIONS: Final = 32

_KEY: Final[Schema] = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
#: The op key of a write.
OP_KEY: Final = Parameter(
    name=IDEMPOTENCY_KEY,
    schema=_KEY,
    description="The op key of this write, by which it can be repeated; without it the server makes one",
    header=True,
)
#: `If-Match`.
MATCH: Final = Parameter(
    name=IF_MATCH,
    schema={"anyOf": [{"const": "*"}, {"type": "string", "pattern": f"^{ETAG_LIST_PATTERN}$"}]},
    description="Change nothing unless the document has one of these etags, or with `*` exists",
    header=True,
)
#: `If-None-Match`.
NONE_MATCH: Final = Parameter(
    name=IF_NONE_MATCH,
    schema={"const": "*"},
    description="Change nothing if the document exists",
    header=True,
)
#: The attempt in whose name a job is put.
ATTEMPT_KEY: Final = Parameter(
    name=ATTEMPT,
    schema={"type": "string", "pattern": f"^{ATTEMPT_PATTERN}$"},
    description="The key of the open attempt, when its holder writes; any other write ends the attempt",
    header=True,
)
#: Which experiment the name in the path means, where several have it.
WHICH: Final = (
    Parameter(
        name=ADDRESS,
        schema={"type": "string"},
        description="The `address` of the experiment, percent-encoded, from an answer: this one is meant, and no other",
        header=True,
    ),
    Parameter(
        name=OWNER,
        schema={"type": "string"},
        description="The owner of the experiment, percent-encoded; empty for one without an owner",
        header=True,
    ),
)
#: Where a page begins.
START: Final = Parameter(
    name="start", schema={"type": "string"}, description="The `next` of the page before; without it, the first page"
)
#: How long a page may be.
LIMIT: Final = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
    description="The most items of this page",
)
#: Which version of a spec is meant.
VERSION: Final = Parameter(
    name="version",
    schema={"type": "integer", "minimum": 1, "maximum": 999_999_999},
    description="The version of the spec; without it, the last one",
)
#: Whether to delete what workers hold.
FORCE: Final = Parameter(
    name="force", schema={"type": "boolean"}, description="Delete although workers hold live leases of its jobs"
)
#: What becomes of a new job whose hyperparameters the experiment has.
ON_DUPLICATE: Final = Parameter(
    name="on_duplicate",
    schema={"enum": [each.value for each in OnDuplicate]},
    description="What to do with a job whose hyperparameters the experiment has already: add it (the default), "
    "leave it out, or refuse the call",
)
#: Which jobs a listing has, and in which order.
FILTERS: Final = (
    Parameter(
        name="status",
        schema={"enum": [status.value for status in JobStatus]},
        description="Only jobs of these statuses",
        many=True,
    ),
    Parameter(name="tag", schema={"anyOf": [{"const": ""}, ref("Name")]}, description="Only jobs that have this tag"),
    Parameter(name="part", schema=ref("Name"), description="Only jobs whose id begins or ends with this"),
    Parameter(
        name="where",
        schema={"type": "string", "pattern": r"^[^<>=!]+(!=|[<>=])[\s\S]*$", "maxLength": MAX_TEXT},
        description="Only jobs of which this holds, such as `results.accuracy>=0.9`: a field, an operator, and a value "
        "as in JSON or Python; after `=` and `!=` also a bare word. What no job could fulfil as it stands is refused",
        many=True,
        most=MAX_CONDITIONS,
    ),
    Parameter(
        name="order",
        schema={"type": "string", "pattern": r"^([^\-][\s\S]*|-[\s\S]+)$", "maxLength": MAX_TEXT},
        description="The field to sort by; `-FIELD` for the largest first. Gives one page only",
    ),
)
