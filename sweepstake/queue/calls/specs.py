"""The verbs on what an experiment runs."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain.access import Role
from sweepstake.domain.tasks.specs import SpecDraft, SpecRecord, StoredSpec
from sweepstake.queue.answers import one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT, NAME, links
from sweepstake.queue.fields import named, op_key, spec_version, whole
from sweepstake.wire.operation import Operation

__all__ = ["GetSpec", "PutSpec"]

#: How many values a spec may hold; a task has some fifty.
_VALUES: Final = 4_000_000


@verb(
    Operation(
        name="put_spec",
        method="POST",
        path=f"{EXPERIMENT}specs/",
        role=Role.ADMIN,
        summary="Store what an experiment runs, as a new version",
        values=_VALUES,
        long=True,
        links=links(NAME, "get_spec"),
    ),
    one(StoredSpec, "StoredSpec", status=201),
    request="PutSpec",
)
@frozen(kw_only=True)
class PutSpec(Call[StoredSpec]):
    """Store what an experiment runs as its next version; the jobs that are there keep the version they came from.

    Raises:
        InvalidInputError: the document is no spec.
    """

    name: str = named("name")
    draft: SpecDraft = whole()
    key: str = op_key()


@verb(
    Operation(
        name="get_spec",
        method="GET",
        path=f"{EXPERIMENT}specs/",
        role=Role.READ,
        summary="Read what an experiment runs, as it was written",
        long=True,
    ),
    one(SpecRecord, "Spec"),
)
@frozen(kw_only=True)
class GetSpec(Call[SpecRecord]):
    """One version of what an experiment runs; without a number the last one.

    Raises:
        NotFoundError: there is no such version.
    """

    name: str = named("name")
    version: int | None = spec_version()
