"""Specs: storing and reading them, and what is known of their tasks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.portable import PortableJob
from sweepstake.domain.tasks.specs import SpecDraft, SpecRecord, StoredSpec
from sweepstake.errors import InvalidInputError, NotFoundError, SpecError
from sweepstake.queue.calls import GetSpec, PutSpec
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import event_of, is_first
from sweepstake.queue.verbs.tasks.matching import read_needs
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.expansion import proposed_task
from sweepstake.spec.naming import named_tasks
from sweepstake.spec.needs import needs_of
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.stores.rows import NO_TASK, TaskRow
from sweepstake.values import JsonObject

__all__ = ["find_tasks", "keep_spec", "read_document", "tasks_at"]

#: How many faults of a document are named.
_MOST_FAULTS: Final = 20
_NANOSECONDS: Final = 10**9


@performs(PutSpec)
def put(store: Store, call: PutSpec) -> StoredSpec:
    """Store a spec as the next version, with what each of its tasks needs."""
    name = store.at(call.name)
    spec = read_document(call.draft.document, "document")
    with store.write() as transaction:
        row = transaction.row("lock_experiment", name=name)
        if row is None:
            raise no_experiment(name)
        number, key = row[0], store.known(transaction, call.key)
        if not is_first(transaction, PutSpec, name, "", key):
            event = event_of(transaction, key)
            assert event is not None, "it is no first call"
            return StoredSpec(int(event.detail))
        draft = call.draft
        version = keep_spec(transaction, number, draft, spec)
        transaction.run("note_event", key=key, detail=str(version))
    return StoredSpec(version)


def keep_spec(
    transaction: Transaction, number: int, draft: SpecDraft, spec: ExperimentSpec, created_at: float | None = None
) -> int:
    """Keep a spec as the next version, with what is asked of its tasks; without a time, it was made now."""
    stored = transaction.row(
        "insert_spec",
        experiment_id=number,
        text=rows.storable(draft.text),
        document=draft.document.text,
        created_at=created_at,
        snapshot=_keep_snapshot(transaction, draft.snapshot),
    )
    assert stored is not None, "it was inserted"
    version: int = stored[0]
    _keep_tasks(transaction, number, version, named_tasks(spec), proposed_task(spec))
    return version


def _keep_snapshot(transaction: Transaction, snapshot: JsonObject | None) -> str | None:
    """Keep what the code was, and return by what it is found."""
    if snapshot is None:
        return None
    digest = snapshot.digest()
    transaction.run("keep_snapshot", digest=digest, document=snapshot.text)
    return digest


def _keep_tasks(
    transaction: Transaction, number: int, version: int, tasks: Mapping[str, TaskSpec], proposed: str | None
) -> None:
    needs = {name: needs_of(task).text for name, task in tasks.items()}
    texts = dict.fromkeys(needs.values())
    transaction.run_many("insert_needs", [{"experiment_id": number, "text": text} for text in texts])
    numbers = {text: found for found, text in transaction.rows("needs", experiment_id=number)}
    transaction.run_many(
        "insert_task",
        [
            {
                "experiment_id": number,
                "version": version,
                "name": name,
                "needs": numbers[needs[name]],
                "fails_all": int(bool(task.propagate_failure)),
                "preempts_all": int(bool(task.propagate_preemption)),
                "start_timeout": None
                if task.synchronized_start_timeout is None
                else task.synchronized_start_timeout / _NANOSECONDS,
                "proposed": int(name == proposed),
            }
            for name, task in tasks.items()
        ],
    )


@performs(GetSpec)
def get(store: Store, call: GetSpec) -> SpecRecord:
    """Return one version of a spec, or the last."""
    name = store.at(call.name)
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        version = call.version or _latest(transaction, number)
        row = None if version is None else transaction.row("spec", experiment_id=number, version=version)
    if row is None:
        which = "spec" if call.version is None else f"version {call.version} of a spec"
        raise NotFoundError(f"The experiment {called(name)!r} has no {which}.")
    return rows.spec(row)


def find_tasks(transaction: Transaction, number: int, drafts: Mapping[int, JobDraft]) -> Mapping[str | None, TaskRow]:
    """Return what is kept of the tasks that drafts name, by name: what they need is said by the last spec alone.

    Raises:
        InvalidInputError: the spec has no such task, or there is none.
    """
    found = tasks_at(transaction, number, _latest(transaction, number), drafts)
    gangs: dict[str, list[int]] = defaultdict(list)
    for place, draft in drafts.items():
        if draft.gang is not None:
            gangs[draft.gang].append(place)
    if gangs:
        _check_new_gangs(transaction, number, drafts, gangs, found)
    return found


def _check_new_gangs(
    transaction: Transaction,
    number: int,
    drafts: Mapping[int, JobDraft],
    gangs: Mapping[str, Sequence[int]],
    tasks: Mapping[str | None, TaskRow],
) -> None:
    """Refuse gangs that do not come whole: half of one would wait for jobs that nobody adds."""
    replicas = _replicas(transaction, number)
    taken = {gang for (gang,) in transaction.rows("gangs_of", experiment_id=number, names=json.dumps([*gangs]))}
    problems = []
    for gang, places in gangs.items():
        task = drafts[places[0]].task
        wanted = replicas[tasks[task].needs]
        if {(drafts[place].task, drafts[place].rank) for place in places} != {(task, rank) for rank in range(wanted)}:
            what = f"must be whole: {wanted} jobs of the task {task!r} in this call, with the ranks 0 to {wanted - 1}"
            problems.append((f"jobs[{places[0]}].gang", what))
        elif gang in taken or len(places) > wanted:
            problems.append((f"jobs[{places[0]}].gang", f"must be another: there is a gang {gang!r} already"))
    if problems:
        raise InvalidInputError(problems[:_MOST_FAULTS])


def _replicas(transaction: Transaction, number: int) -> Mapping[int, int]:
    """Return how many jobs of the same needs begin together, by the number of the needs."""
    return {found: read_needs(text).replicas for found, text in transaction.rows("needs", experiment_id=number)}


def tasks_at(
    transaction: Transaction, number: int, version: int | None, drafts: Mapping[int, JobDraft | PortableJob]
) -> Mapping[str | None, TaskRow]:
    """Return what a version of a spec says of the tasks that jobs name, by name; see `find_tasks`."""
    wanted = {draft.task for draft in drafts.values()}
    names = json.dumps(sorted(task for task in wanted if task is not None))
    found: dict[str | None, TaskRow] = {None: NO_TASK}
    if version is not None:
        for task, needs in transaction.rows("tasks_of", experiment_id=number, version=version, names=names):
            found[task] = TaskRow(version, needs)
    which = "any spec, as the experiment has none" if version is None else f"version {version} of the experiment's spec"
    problems = [
        (f"jobs[{place}].task", f"is no task of {which}: {draft.task!r}")
        for place, draft in drafts.items()
        if draft.task not in found
    ]
    problems = problems or _faulty_gangs(transaction, number, drafts, found)
    if problems:
        raise InvalidInputError(problems[:_MOST_FAULTS])
    return found


def _faulty_gangs(
    transaction: Transaction,
    number: int,
    drafts: Mapping[int, JobDraft | PortableJob],
    tasks: Mapping[str | None, TaskRow],
) -> list[tuple[str, str]]:
    """Return what is wrong with drafts of tasks whose jobs begin together, and of others that say they do."""
    replicas = _replicas(transaction, number)
    problems = []
    for place, draft in drafts.items():
        wanted = replicas.get(tasks[draft.task].needs, 1)
        if wanted == 1 and (draft.gang is not None or draft.rank is not None):
            problems.append((f"jobs[{place}].gang", "must not be given: the task of the job has no replicas"))
        elif wanted > 1 and (draft.gang is None or draft.rank is None or draft.rank >= wanted):
            problems.append((f"jobs[{place}].gang", f"must be given, with a rank from 0 to {wanted - 1}"))
    return problems


def read_document(document: JsonObject, path: str) -> ExperimentSpec:
    """Return the spec that a document is.

    Raises:
        InvalidInputError: it is no spec; its faults are named by their places under `path`.
    """
    try:
        return ExperimentSpec.from_json(document.decode())
    except SpecError as error:
        raise InvalidInputError(
            [(f"{path}.{fault.path}" if fault.path else path, fault.problem) for fault in error.faults[:_MOST_FAULTS]]
        ) from None


def _latest(transaction: Transaction, number: int) -> int | None:
    row = transaction.row("latest_spec", experiment_id=number)
    version: int | None = None if row is None else row[0]
    return version
