"""What is known of experiments, jobs and attempts: frozen records."""

from __future__ import annotations

from enum import Enum
from typing import Final, Generic, TypeVar

from attrs import field, frozen

from sweepstake.domain.addresses import exact
from sweepstake.domain.schema import OMIT_DEFAULT, sent_as
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome, Signal
from sweepstake.domain.tasks.waiting import Waiting
from sweepstake.values import EMPTY, JsonObject

__all__ = [
    "ABSENT",
    "PRESENT",
    "UNGUARDED",
    "AttemptRecord",
    "Attempts",
    "Beat",
    "Beats",
    "Blocked",
    "Claim",
    "Claims",
    "Dependencies",
    "Dependency",
    "Document",
    "ExperimentDraft",
    "ExperimentRecord",
    "Finished",
    "Guard",
    "GuardKind",
    "Health",
    "JobRecord",
    "NoJob",
    "Page",
    "PutAnswer",
    "SearchDefinition",
    "Stopped",
    "Unranked",
]

T = TypeVar("T")


class GuardKind(Enum):
    """What must hold of the stored document before a write."""

    NONE = "none"
    MATCH = "match"
    ABSENT = "absent"
    PRESENT = "present"


@frozen
class Guard:
    """The condition of a write: `If-Match` and `If-None-Match` as data."""

    kind: GuardKind
    etags: tuple[str, ...] = ()

    @classmethod
    def match(cls, *etags: str) -> Guard:
        """Require that the document has one of these etags."""
        return cls(GuardKind.MATCH, etags)


#: Require nothing.
UNGUARDED: Final = Guard(GuardKind.NONE)
#: Require that the document does not exist.
ABSENT: Final = Guard(GuardKind.ABSENT)
#: Require that the document exists.
PRESENT: Final = Guard(GuardKind.PRESENT)


@frozen
class SearchDefinition:
    """A search as it is stored: its word on the wire and the JSON text of its parameters.

    Attributes:
        kind: `Manual`, `RandomSearch`, `PBT` or `Grid`.
        params: canonical JSON text; `null` for a manual search.
    """

    kind: str
    params: str = "null"


@frozen(kw_only=True)
class ExperimentDraft:
    """A definition; without `settings`, which Schedy's clients do not know, they stay as they are.

    Attributes:
        settings: None keeps those of an experiment that exists (the shape of a Schedy PUT), and means the defaults
            for a new one.
        owner: email of the user whose a new one is; None: everybody's. One that exists keeps its owner.
    """

    search: SearchDefinition = field(metadata=sent_as("scheduler"))
    status: ExperimentStatus = ExperimentStatus.RUNNING
    settings: Settings | None = None
    owner: str | None = field(default=None, metadata=sent_as(None))


@frozen(kw_only=True)
class ExperimentRecord:
    """One experiment.

    Attributes:
        etag: version of the definition (status, search, settings).
        proposals: how many jobs the search has proposed so far; changes without touching the etag.
        created: how many jobs were ever created in it.
        created_at: Unix time in seconds.
        owner: email of the user who made it through a server; None: it is everybody's.
        address: under which the store keeps it, as long as it is there; empty if a server of an older version does
            not say. See `sweepstake.domain.addresses`.
    """

    name: str
    status: ExperimentStatus
    search: SearchDefinition = field(metadata=sent_as("scheduler"))  # Schedy's word
    settings: Settings
    etag: str
    proposals: int = 0
    created: int = 0
    created_at: float = 0.0
    owner: str | None = None
    address: str = ""

    @property
    def reference(self) -> str:
        """What a call names it by that means this very experiment."""
        return exact(self.address) if self.address else self.name


@frozen(kw_only=True)
class Document:
    """A job's document; what is absent is empty afterwards.

    It is the part of a job that its etag covers and a PUT replaces.
    """

    status: JobStatus
    hyperparameters: JsonObject = EMPTY
    results: JsonObject = EMPTY


@frozen(kw_only=True)
class Dependency:
    """A job that another waits for.

    Attributes:
        id: the job that must be DONE.
        status: what it is now.
        prune_with: whether the job that waits is PRUNED when this one becomes CRASHED or PRUNED.
    """

    id: str
    status: JobStatus
    prune_with: bool = False


@frozen(kw_only=True)
class Blocked:
    """A queued job that waits for others.

    Attributes:
        id: the job.
        by: the jobs that it waits for and that are not DONE yet, oldest first.
    """

    id: str
    by: tuple[str, ...]


@frozen(slots=False)  # which halves the time to make one, as it is made for each job of a listing
class JobRecord:
    """One job: its document, and the queueing that is read beside it.

    Attributes:
        etag: version of the document; the name of the op key of its last write.
        seq: order of creation within the store; never used twice.
        waiting: how many jobs it depends on that are not DONE yet.
        attempt: how many attempts were begun.
        worker: who runs it, or ran it last.
        leased: whether the open attempt has a lease (false for one begun by a plain PUT).
        created_at, started_at, ended_at: Unix times in seconds; started and ended of the last attempt.
        address: of its experiment, as `ExperimentRecord.address`.
        task: what is run for it: a task of the experiment's spec.
        spec_version: the version of the spec that it came from.
        gang: what those jobs have in common that begin together.
        rank: which of its gang it is, from 0.
        seed: which repeat of its hyperparameters it is, from 0.
    """

    experiment: str
    id: str
    status: JobStatus
    hyperparameters: JsonObject
    results: JsonObject
    etag: str
    seq: int
    priority: int = 0
    not_before: float | None = None
    waiting: int = 0
    tags: tuple[str, ...] = ()
    notes: str = ""
    origin: JsonObject | None = None
    attempt: int = 0
    worker: str | None = None
    leased: bool = False
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    address: str = ""
    task: str | None = field(default=None, metadata=OMIT_DEFAULT)
    spec_version: int | None = field(default=None, metadata=OMIT_DEFAULT)
    gang: str | None = field(default=None, metadata=OMIT_DEFAULT)
    rank: int | None = field(default=None, metadata=OMIT_DEFAULT)
    seed: int | None = field(default=None, metadata=OMIT_DEFAULT)

    @property
    def text_length(self) -> int:
        """How many characters its values and notes have."""
        origin = 0 if self.origin is None else len(self.origin.text)
        return len(self.hyperparameters.text) + len(self.results.text) + len(self.notes) + origin

    @property
    def reference(self) -> str:
        """What a call names its experiment by that means this very one."""
        return exact(self.address) if self.address else self.experiment


@frozen(kw_only=True)
class PutAnswer:
    """A document was written, or its create repeated.

    Attributes:
        created: the document is new.
        superseded: the write was made once, by an earlier call with the same key, and somebody else has written
            since; `record` carries the etag of *this* write, so that its next guard fails.
    """

    record: JobRecord
    created: bool
    superseded: bool = False


@frozen(kw_only=True)
class AttemptRecord:
    """One running of a job.

    Attributes:
        number: counted from 1.
        key: the name of the op key that began it; the key itself its holder alone knows.
        lease: seconds, or None when it was begun by a plain PUT and has no lease.
        outcome: how it ended, or None while it is open.
        reason: traceback, exit code, or whatever says why.
        late_results: what it reported after it was over.
        output: the end of what it printed, if its worker reported that; at most MAX_OUTPUT bytes.
    """

    number: int
    key: str
    worker: str
    lease: float | None
    started_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    reason: str = ""
    late_results: JsonObject | None = None
    output: str = ""


@frozen
class Attempts:
    """The attempts of a job, oldest first."""

    attempts: tuple[AttemptRecord, ...]


@frozen
class Dependencies:
    """The jobs that a job waits for, oldest first."""

    dependencies: tuple[Dependency, ...]


@frozen(kw_only=True)
class Claim:
    """A job that now belongs to the claimer.

    Attributes:
        key: op key of the claim: it names the attempt and its lease in every later call.
        lease: seconds without a heartbeat after which others may claim it.
        timeout: seconds the attempt may run, if the experiment limits it.
    """

    job: JobRecord
    key: str = field(repr=False)
    lease: float
    timeout: float | None = None


@frozen
class NoJob:
    """Nothing could be claimed, and why."""

    reason: NoJobReason


@frozen(kw_only=True)
class Claims:
    """Jobs that now belong to the claimer, perhaps fewer than were asked for.

    Attributes:
        reason: why there is none, if there is none.
        waiting: the job that comes before those that fit what was offered, if one does: it fits the worker as a whole.
    """

    claims: tuple[Claim, ...] = ()
    reason: NoJobReason | None = None
    waiting: Waiting | None = field(default=None, metadata=OMIT_DEFAULT)


@frozen(kw_only=True)
class Finished:
    """The true outcome of a finish.

    Attributes:
        job: the job as it is now.
        recorded: whether the report became the job's document. False: the attempt was over,
            and the results were kept on it as late results.
        ended: how the attempt ended.
        next: what a claim made in the same call brought; None when none was asked for, or when the call was made
            before and what it claimed is over, or was nothing.
    """

    job: JobRecord
    recorded: bool
    ended: Outcome
    next: Claim | NoJob | None = None


@frozen
class Stopped:
    """Jobs were stopped.

    Attributes:
        jobs: how many.
    """

    jobs: int


@frozen
class Beat:
    """The answer to a heartbeat for one attempt."""

    attempt: str
    signal: Signal


@frozen
class Beats:
    """The answer to a heartbeat."""

    beats: tuple[Beat, ...]


@frozen
class Health:
    """How the server is."""

    status: str


@frozen(kw_only=True)
class Unranked:
    """How many jobs of an ordered listing have no number in its field, and so no rank by it.

    Attributes:
        nan: those whose value is NaN.
        text: those whose value is text.
        other: those whose value is null, a list or an object.
        missing: those without a value; not those of tasks that are run beside a sweep, which have nothing to compare.
    """

    nan: int = 0
    text: int = 0
    other: int = 0
    missing: int = 0


@frozen
class Page(Generic[T]):
    """Part of a listing, and the token with which the next part begins (None at the end).

    Attributes:
        unranked: of an ordered listing, how many jobs of all that it asks for have no rank; None of others, and where
            the server does not tell.
    """

    items: tuple[T, ...]
    next: str | None = None
    unranked: Unranked | None = field(default=None, metadata=OMIT_DEFAULT)
