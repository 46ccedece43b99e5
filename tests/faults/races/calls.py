"""The calls that are broken off, or made at the same time as others: what each finds, and what it asks."""

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import psycopg
from attrs import evolve, field, frozen

from sweepstake.domain.records import UNGUARDED, Claim, Finished, Guard, SearchDefinition
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.stores.urls import SqliteUrl, parse_store_url
from tests.faults.races.ledger import Names
from tests.kit.lab import Lab, document, draft, eventually

__all__ = ["CALLS", "Call", "Scene", "make_overdue"]

_RANDOM = SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":0.0,"high":1.0}}}')


@frozen(kw_only=True)
class Scene:
    """An experiment in which a call is made.

    Attributes:
        held: the claim of a job that was claimed before; None if the call needs none.
    """

    lab: Lab
    names: Names
    held: Claim | None = None

    @property
    def claim(self) -> Claim:
        """The claim that was made before."""
        assert self.held is not None
        return self.held

    def finish(self, outcome: Outcome = Outcome.DONE, *, again: bool, following: bool = False) -> Finished:
        """End the attempt of the claim, and claim the next job with it if asked to."""
        next_key = self.names.key("goon") if following else None
        results = {"loss": 0.5, "said": outcome.value}
        key = self.names.key("done")
        return self.lab.finish(self.claim, outcome, results, key=key, next_key=next_key, repeat=again)

    def ask(self, *, again: bool) -> Claim | None:
        """Claim a job under the key of the scene, or return None."""
        answer = self.lab.ask(key=self.names.key("clam"), repeat=again)
        return answer if isinstance(answer, Claim) else None


Make: TypeAlias = Callable[[Scene, bool], object]


@frozen(kw_only=True)
class Call:
    """One call in a situation of its own.

    Attributes:
        name: for people.
        make: makes the call; told whether it is a repeat.
        settings: of the experiment.
        jobs: how many there are.
        first: the status of the first of them; the others are queued.
        held: whether the first of them is claimed before.
        overdue: whether that claim's lease is over.
        search: of the experiment.
    """

    name: str
    make: Make
    settings: Mapping[str, Any] = field(factory=dict)
    jobs: int = 1
    first: JobStatus = JobStatus.QUEUED
    held: bool = False
    overdue: bool = False
    search: SearchDefinition | None = None

    def stage(self, lab_of: Callable[..., Lab], store: str) -> Scene:
        """Make the experiment, its jobs and the claim; `store` is the URL of the store itself."""
        names = Names.new()
        search = {} if self.search is None else {"search": self.search}
        lab = lab_of(name=f"scene {names.run}", seed=7, **{"lease": 60.0, **self.settings}, **search)
        statuses = [self.first, *([JobStatus.QUEUED] * self.jobs)][: self.jobs]
        drafts = [draft(f"{names.run}-{i}", of=document(status, {"i": i})) for i, status in enumerate(statuses)]
        lab.queue.add_jobs(lab.name, drafts, key=names.key("adds"))
        held = lab.claim(worker="first", key=names.key("held")) if self.held else None
        if self.overdue:
            make_overdue(store, lab.name)
        return Scene(lab=lab, names=names, held=held)


def make_overdue(store: str, name: str) -> None:
    """Let the leases of an experiment be over."""
    update = "update jobs set due = due - 1000 where experiment_id = (select id from experiments where name = {})"
    place = parse_store_url(store)
    if isinstance(place, SqliteUrl):
        with contextlib.closing(sqlite3.connect(place.path, isolation_level=None, timeout=30)) as file:
            file.execute(update.format("?"), [name])
        return
    with psycopg.connect(store) as database:
        database.execute(update.format("%s").encode(), [name])


def _claim(scene: Scene, again: bool) -> object:
    """Claim; whoever died with a lock on the job has it until the database notices."""
    return eventually(lambda: scene.ask(again=again))


def _finish(scene: Scene, again: bool) -> object:
    return scene.finish(again=again)


def _crash(scene: Scene, again: bool) -> object:
    return scene.finish(Outcome.CRASHED, again=again)


def _give_back(scene: Scene, again: bool) -> object:
    return scene.finish(Outcome.PREEMPTED, again=again)


def _finish_and_claim(scene: Scene, again: bool) -> object:
    """End the attempt and claim the next job; if a repeat brings none, repeat the claim by itself, as clients do."""
    finished = scene.finish(again=again, following=True)
    if finished.next is None:
        following = scene.lab.claim(key=scene.names.key("goon"), repeat=True)
        return evolve(finished, next=following)
    return finished


def _create(scene: Scene, again: bool) -> object:
    new, key = f"{scene.names.run}-new", scene.names.key("puts")
    return scene.lab.put(new, document(JobStatus.RUNNING, {"i": 9}), guard=UNGUARDED, key=key)


def _replace(scene: Scene, again: bool) -> object:
    guard = Guard.match(f"{scene.names.key('adds')}.0")
    of = document(JobStatus.RUNNING, {"i": 1})
    return scene.lab.put(f"{scene.names.run}-0", of, guard=guard, key=scene.names.key("puts"))


def _report(scene: Scene, again: bool) -> object:
    of = document(JobStatus.DONE, {"i": 0}, {"loss": 1.5})
    return scene.lab.put(scene.claim.job.id, of, key=scene.names.key("puts"), attempt=scene.claim.key)


def _add(scene: Scene, again: bool) -> object:
    drafts = [draft(f"{scene.names.run}-more-{i}", of=document(hyperparameters={"more": i})) for i in range(5)]
    scene.lab.queue.add_jobs(scene.lab.name, drafts, key=scene.names.key("more"))
    return None


def _prune(scene: Scene, again: bool) -> object:
    return scene.lab.prune(scene.claim.job.id, key=scene.names.key("prun"))


def _retry(scene: Scene, again: bool) -> object:
    return scene.lab.retry(f"{scene.names.run}-0", key=scene.names.key("retr"))


def _set_queueing(scene: Scene, again: bool) -> object:
    return scene.lab.set_queueing(scene.claim.job.id, priority=3, tags=["urgent"], key=scene.names.key("queu"))


def _delete(scene: Scene, again: bool) -> object:
    scene.lab.delete(
        f"{scene.names.run}-0", guard=Guard.match(f"{scene.names.key('adds')}.0"), key=scene.names.key("dele")
    )
    return None


#: Each call whose parts may be torn apart.
CALLS: Final = (
    Call(name="claim", make=_claim),
    Call(name="claim of max_running", make=_claim, settings={"max_running": 1}),
    Call(name="claim of a proposal", make=_claim, jobs=0, search=_RANDOM),
    Call(name="settling and claiming", make=_claim, held=True, overdue=True, settings={"lease": 0.5}),
    Call(name="finish", make=_finish, held=True),
    Call(name="finish of a crash", make=_crash, held=True, settings={"max_attempts": 2, "retry_delay": 60.0}),
    Call(name="giving back", make=_give_back, held=True),
    Call(name="finish and claim", make=_finish_and_claim, held=True, jobs=2),
    Call(
        name="finish and claim of max_running",
        make=_finish_and_claim,
        held=True,
        jobs=2,
        settings={"max_running": 1},
    ),
    Call(name="put that creates", make=_create),
    Call(name="put that replaces", make=_replace),
    Call(name="put by the holder", make=_report, held=True),
    Call(name="bulk add", make=_add),
    Call(name="prune", make=_prune, held=True),
    Call(name="retry of a crash", make=_retry, first=JobStatus.CRASHED),
    Call(name="retry of what runs without a lease", make=_retry, first=JobStatus.RUNNING),
    Call(name="change of the queueing", make=_set_queueing, held=True),
    Call(name="delete", make=_delete),
)
