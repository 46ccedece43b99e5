"""Taking an experiment from elsewhere, part by part, under a hidden name that the last part changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import asdict, evolve

from sweepstake.domain.addresses import called
from sweepstake.domain.keys import name_of, shown_etag
from sweepstake.domain.names import check_name
from sweepstake.domain.portable import (
    HIDDEN,
    ImportPart,
    PortableAttempt,
    PortableEvent,
    PortableExperiment,
    PortableJob,
    Totals,
    in_order,
)
from sweepstake.domain.records import ExperimentRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.vocabulary import queueing_of
from sweepstake.errors import InvalidInputError, NotFoundError, ResourceExistsError
from sweepstake.queue.addresses import free_address, own_address
from sweepstake.queue.calls import TakePart
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import OF_EXPERIMENT, experiment_id
from sweepstake.queue.verbs.guards import event_of, is_first, key_reused
from sweepstake.queue.verbs.puts import ENDS_OF_HOLDERS, STATED
from sweepstake.queue.verbs.tasks.specs import keep_spec, read_document, tasks_at
from sweepstake.search import policy_for
from sweepstake.spec import ExperimentSpec
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Row, Transaction
from sweepstake.turns import in_one_piece

__all__: list[str] = []

#: Seconds after which an import that was begun and never ended is forgotten when another begins.
_STALE_SECONDS: Final = 86400.0
_RUNNING_ELSEWHERE: Final = "it was running when the experiment was exported"


@performs(TakePart)
def take(store: Store, call: TakePart) -> None:
    """Take one part of an experiment from elsewhere."""
    part = _with_sound_search(call.part)
    name = check_name(called(call.name), "name")
    specs = [read_document(spec.document, f"specs[{i}].document") for i, spec in enumerate(part.specs)]

    def write() -> None:
        with store.write() as transaction:
            _take_part(transaction, name, part, specs, call.owner)

    with in_one_piece():
        try:
            write()
        except DuplicateError:  # perhaps only because somebody else has just made an experiment of that name
            try:
                write()
            except DuplicateError as error:
                raise _twice(part) from error


def _with_sound_search(part: ImportPart) -> ImportPart:
    """Return the part with its search as this version writes it, after making sure that it can propose."""
    if part.experiment is None:
        return part
    search = policy_for(part.experiment.search).definition()
    return evolve(part, experiment=evolve(part.experiment, search=search))


def _take_part(
    transaction: Transaction, name: str, part: ImportPart, specs: Sequence[ExperimentSpec], owner: str | None
) -> None:
    """Take a part; see `TakePart`."""
    hidden = HIDDEN + name_of(part.id)
    if part.experiment is not None and not part.abandon:
        number = _begin(transaction, name, hidden, part, part.experiment, owner)
        if number is not None:
            _add(transaction, number, hidden, part, specs)
        return
    experiment = transaction.row("lock_experiment", name=hidden)
    event = _event_of(transaction, part)
    if experiment is not None and rows.experiment(experiment).owner != owner:
        raise _none(name, part)
    if part.abandon:
        if experiment is not None and event is not None:
            _forget(transaction, experiment[0], hidden, event[0])
        return
    if experiment is None or event is None:
        _refuse_ended(name, part, event)
        return
    begun, _, expected = event
    if part.number < int(expected):
        return
    if part.number > int(expected):
        raise InvalidInputError.at("number", f"must be {expected}, is {part.number}: a part is missing")
    _add(transaction, experiment[0], hidden, part, specs)
    transaction.run("note_event", key=name_of(part.id), detail=str(part.number + 1))
    if part.totals is not None:
        _check_whole(transaction, experiment[0], hidden, begun, part.totals)
        _publish(
            transaction, name, rows.experiment(experiment), number=experiment[0], begun=begun, jobs=part.totals.jobs
        )


def _event_of(transaction: Transaction, part: ImportPart) -> Row | None:
    """Return number, experiment and detail of the event with which the import began."""
    event = event_of(transaction, name_of(part.id))
    if event is None and transaction.row("attempt_of", key=name_of(part.id)) is None:
        return None
    if event is None or event.verb != TakePart.word:
        raise key_reused()
    return transaction.row("known_event", key=name_of(part.id))


def _twice(part: ImportPart) -> InvalidInputError:
    """Return the error for a part that holds an id or a key which came before."""
    ids = ", ".join(job.id for job in part.jobs[:3])
    return InvalidInputError.at("jobs", f"hold an id or a key that came before, in part {part.number} (from {ids})")


def _begin(
    transaction: Transaction,
    name: str,
    hidden: str,
    part: ImportPart,
    experiment: PortableExperiment,
    owner: str | None,
) -> int | None:
    """Make the hidden experiment and return its number; None if the first part came before."""
    if not is_first(transaction, TakePart, hidden, "", name_of(part.id), detail="1"):
        return None
    if own_address(transaction, name, owner) is not None:
        raise _taken(name)
    for (stale,) in transaction.rows("stale_imports", pattern=f"{HIDDEN}%", seconds=_STALE_SECONDS):
        old = transaction.row("lock_experiment", name=stale)
        event = transaction.row("known_event", key=stale.removeprefix(HIDDEN))
        if old is not None and event is not None:
            _forget(transaction, old[0], stale, event[0])
    record = ExperimentRecord(
        name=hidden,
        address=hidden,
        status=experiment.status,
        search=experiment.search,
        settings=experiment.settings,
        etag=name_of(part.id),
        owner=owner,
    )
    transaction.run("insert_experiment", **rows.experiment_params(record))
    number = experiment_id(transaction, hidden)
    transaction.run(
        "import_counts",
        experiment_id=number,
        proposals=experiment.proposals,
        created=experiment.created,
        created_at=experiment.created_at,
    )
    return number


def _refuse_ended(name: str, part: ImportPart, event: Any) -> None:
    """Let the repeat of the last part pass, and refuse whatever else comes after it."""
    if event is not None and called(event[1]) == name and part.number < int(event[2]):
        return
    raise _none(name, part)


def _none(name: str, part: ImportPart) -> NotFoundError:
    return NotFoundError(f"No import {part.id} into {name!r} is under way here; begin it again.")


def _add(transaction: Transaction, number: int, hidden: str, part: ImportPart, specs: Sequence[ExperimentSpec]) -> None:
    now = transaction.now()
    mark = name_of(part.id)
    _add_specs(transaction, number, part, specs)
    jobs = [in_order(_ended(job, now)) for job in part.jobs]
    needs = _needs(transaction, number, jobs)
    transaction.run_many(
        "import_job",
        [_job_params(number, job, needs[i], f"{mark}.{part.number}.{i}", now) for i, job in enumerate(jobs)],
    )
    transaction.run_many(
        "import_attempt",
        [_attempt_params(number, job.id, attempt, mark) for job in jobs for attempt in job.attempts],
    )
    _add_dependencies(transaction, number, part)
    _add_events(transaction, hidden, part)


def _add_dependencies(transaction: Transaction, number: int, part: ImportPart) -> None:
    transaction.run_many(
        "import_dependency",
        [
            {"experiment_id": number, "id": each.job, "on_id": each.on, "prunes": int(each.prune_with)}
            for each in part.dependencies
        ],
    )
    touched = sorted({job for each in part.dependencies for job in (each.job, each.on)})
    transaction.run_many("count_dependencies", [{"experiment_id": number, "id": job} for job in touched])


def _add_events(transaction: Transaction, hidden: str, part: ImportPart) -> None:
    mark = name_of(part.id)
    transaction.run_many("import_event", [_event_params(hidden, event, mark) for event in part.events])


def _add_specs(transaction: Transaction, number: int, part: ImportPart, specs: Sequence[ExperimentSpec]) -> None:
    for i, (draft, spec) in enumerate(zip(part.specs, specs, strict=True)):
        version = keep_spec(transaction, number, draft, spec, draft.created_at)
        if version != draft.version:
            raise InvalidInputError.at(f"specs[{i}].version", f"must be {version}, is {draft.version}")


def _needs(transaction: Transaction, number: int, jobs: Sequence[PortableJob]) -> Mapping[int, int]:
    """Return by place in the part what each job needs, which the spec that it came from says, and not its file."""
    by_version: dict[int | None, dict[int, PortableJob]] = defaultdict(dict)
    for i, job in enumerate(jobs):
        by_version[job.spec_version][i] = job
    found = {}
    for version, of_version in by_version.items():
        tasks = tasks_at(transaction, number, version, of_version)
        found.update({i: tasks[job.task].needs for i, job in of_version.items()})
    return found


def _ended(job: PortableJob, now: float) -> PortableJob:
    """Return the job as nobody holds it here: whoever runs it, holds it in another store."""
    if job.status is not JobStatus.RUNNING:
        return job
    last = job.attempts[-1]
    end = max(now, last.started_at)
    last = evolve(last, outcome=Outcome.RELEASED, ended_at=end, reason=_RUNNING_ELSEWHERE)
    return evolve(job, status=JobStatus.QUEUED, ended_at=end, attempts=(*job.attempts[:-1], last))


def _job_params(number: int, job: PortableJob, needs: int, etag: str, now: float) -> dict[str, Any]:
    return {
        **{name: rows.column(value) for name, value in queueing_of(job).items()},
        "experiment_id": number,
        "id": job.id,
        "status": str(job.status),
        "etag": etag,
        "due": rows.due(job, now),
        "attempt": len(job.attempts),
        "failures": job.failures,
        "losses": job.losses,
        "preemptions": job.preemptions,
        "worker": job.worker,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "origin": None if job.origin is None else job.origin.text,
        "hyperparameters": job.hyperparameters.text,
        "results": job.results.text,
        "task": job.task,
        "spec_version": job.spec_version,
        "needs": needs,
        "gang": job.gang,
        "rank": job.rank,
        "seed": job.seed,
    }


def _attempt_params(number: int, job_id: str, attempt: PortableAttempt, mark: str) -> dict[str, Any]:
    finish_key = attempt.finish_key
    return {
        "experiment_id": number,
        "id": job_id,
        "number": attempt.number,
        "key": _of_import(attempt.key, mark),
        "worker": attempt.worker,
        "lease": attempt.lease,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": str(attempt.outcome),
        "reason": _reason(attempt),
        "output": rows.storable(attempt.output),
        "finish_key": None if finish_key is None else _of_import(finish_key, mark),
        "late_results": None if attempt.late_results is None else attempt.late_results.text,
    }


def _reason(attempt: PortableAttempt) -> str:
    """Return why the attempt ended; older stores did not tell when it was by a put."""
    untold = attempt.lease is not None and attempt.finish_key is None and attempt.outcome in ENDS_OF_HOLDERS
    return STATED if untold else rows.storable(attempt.reason)


def _event_params(hidden: str, event: PortableEvent, mark: str) -> dict[str, Any]:
    return {
        "at": event.at,
        "verb": event.verb,
        "experiment": hidden,
        "job": event.job,
        "key": _of_import(event.key, mark),
        "detail": rows.storable(event.detail),
    }


def _of_import(key: str, mark: str) -> str:
    """Return the key under which this import keeps a write: whatever its file says, no other write here has it."""
    return f"{shown_etag(key).partition(':')[0]}:{mark}"


def _check_whole(transaction: Transaction, number: int, hidden: str, begun: int, totals: Totals) -> None:
    found = transaction.row("arrived", experiment_id=number, name=hidden, after=begun)
    assert found is not None, "counts always have a row"
    for (word, wanted), arrived in zip(asdict(totals).items(), found, strict=True):
        if wanted != arrived:
            raise InvalidInputError.at(f"totals.{word}", f"says {wanted:,}, and {arrived:,} have arrived")
    gang = transaction.row("faulty_gang", experiment_id=number)
    if gang is not None:
        raise InvalidInputError.at("jobs", f"the gang {gang[0]!r} is no set of replicas of one task")


def _publish(
    transaction: Transaction, name: str, hidden: ExperimentRecord, *, number: int, begun: int, jobs: int
) -> None:
    """Let everybody see an import, under an address of its own."""
    if own_address(transaction, name, hidden.owner) is not None:
        raise _taken(name)
    address = free_address(transaction, name, hidden.owner, hidden.address.removeprefix(HIDDEN))
    label = None if address == name else name
    transaction.run("publish_experiment", experiment_id=number, name=address, label=label, jobs=jobs)
    transaction.run("publish_events", name=address, hidden=hidden.address, first=begun)


def _forget(transaction: Transaction, number: int, hidden: str, begun: int) -> None:
    for statement in OF_EXPERIMENT:
        transaction.run(statement, experiment_id=number)
    transaction.run("delete_events", hidden=hidden, first=begun)


def _taken(name: str) -> ResourceExistsError:
    return ResourceExistsError(f"The experiment {name!r} exists already. Import under another name: --name NEW.")
