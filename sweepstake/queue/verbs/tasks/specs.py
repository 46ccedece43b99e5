"""Specs: storing and reading them, and what is known of their tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.tasks.needs import NOTHING_NEEDED, Constraint, Needs
from sweepstake.domain.tasks.specs import SpecRecord, StoredSpec
from sweepstake.errors import InvalidInputError, NotFoundError, SpecError
from sweepstake.queue.calls import GetSpec, PutSpec
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import event_of, is_first
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.naming import task_names
from sweepstake.spec.scalars import memory_bytes
from sweepstake.stores.engine import Transaction
from sweepstake.stores.rows import NO_TASK, TaskRow
from sweepstake.values import JsonObject

__all__ = ["find_tasks", "needs_of"]

#: How many faults of a document are named.
_MOST_FAULTS: Final = 20
_NANOSECONDS: Final = 10**9


@performs(PutSpec)
def put(store: Store, call: PutSpec) -> StoredSpec:
    """Store a spec as the next version, with what each of its tasks needs."""
    name = store.at(call.name)
    spec = _read(call.draft.document)
    tasks = dict(zip(task_names(spec), spec.tasks, strict=True))
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
        stored = transaction.row("insert_spec", experiment_id=number, text=draft.text, document=draft.document.text)
        assert stored is not None, "it was inserted"
        transaction.run("note_event", key=key, detail=str(stored[0]))
        _keep_tasks(transaction, number, stored[0], tasks)
    return StoredSpec(stored[0])


def _keep_tasks(transaction: Transaction, number: int, version: int, tasks: Mapping[str, TaskSpec]) -> None:
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
    stored, text, document, created_at = row
    return SpecRecord(version=stored, text=text, document=JsonObject(document), created_at=created_at)


def find_tasks(
    transaction: Transaction, name: str, number: int, drafts: Mapping[int, JobDraft]
) -> Mapping[str | None, TaskRow]:
    """Return what is kept of the tasks that drafts name, by name: what they need is said by the last spec alone.

    Raises:
        InvalidInputError: the spec has no such task, or there is none.
    """
    wanted = {draft.task for draft in drafts.values()}
    version = _latest(transaction, number)
    names = json.dumps(sorted(task for task in wanted if task is not None))
    found: dict[str | None, TaskRow] = {None: NO_TASK}
    if version is not None:
        for task, needs in transaction.rows("tasks_of", experiment_id=number, version=version, names=names):
            found[task] = TaskRow(version, needs)
    problems = [
        (f"jobs[{place}].task", f"is no task of the spec of the experiment {called(name)!r}: {draft.task!r}")
        for place, draft in drafts.items()
        if draft.task not in found
    ]
    problems = problems or _faulty_gangs(transaction, number, drafts, found)
    if problems:
        raise InvalidInputError(problems[:_MOST_FAULTS])
    return found


def _faulty_gangs(
    transaction: Transaction, number: int, drafts: Mapping[int, JobDraft], tasks: Mapping[str | None, TaskRow]
) -> list[tuple[str, str]]:
    """Return what is wrong with drafts of tasks whose jobs begin together, and of others that say they do."""
    replicas = {found: Needs.of(text).replicas for found, text in transaction.rows("needs", experiment_id=number)}
    problems = []
    for place, draft in drafts.items():
        wanted = replicas.get(tasks[draft.task].needs, 1)
        if wanted == 1 and (draft.gang is not None or draft.rank is not None):
            problems.append((f"jobs[{place}].gang", "must not be given: the task of the job has no replicas"))
        elif wanted > 1 and (draft.gang is None or draft.rank is None or draft.rank >= wanted):
            problems.append((f"jobs[{place}].gang", f"must be given, with a rank from 0 to {wanted - 1}"))
    return problems


def needs_of(task: TaskSpec) -> Needs:
    """Return what a task needs of a worker."""
    resources, constraints = task.resources, task.constraints
    labels = {} if constraints is None else {name: constraints[name] for name in constraints}
    placed = tuple(Constraint(name=name, values=tuple(values)) for name, values in labels.items() if values)
    replicas = max(task.replicas or 1, 1)
    if resources is None:
        return Needs(constraints=placed, replicas=replicas) if placed or replicas > 1 else NOTHING_NEEDED
    return Needs(
        cpu=resources.cpu_count or 0.0,
        gpu=resources.gpu_count or 0,
        memory=memory_bytes(resources.memory) if resources.memory else 0,
        constraints=placed,
        replicas=replicas,
    )


def _read(document: JsonObject) -> ExperimentSpec:
    try:
        return ExperimentSpec.from_json(document.wire())
    except SpecError as error:
        raise InvalidInputError(
            [
                (f"document.{fault.path}" if fault.path else "document", fault.problem)
                for fault in error.faults[:_MOST_FAULTS]
            ]
        ) from None


def _latest(transaction: Transaction, number: int) -> int | None:
    row = transaction.row("latest_spec", experiment_id=number)
    version: int | None = None if row is None else row[0]
    return version
