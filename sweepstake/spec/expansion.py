"""The jobs of a spec: its tasks, times the points of a sweep, times their replicas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.names import MAX_DEPENDENCIES, MAX_NAME, check_name
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.errors import InvalidInputError
from sweepstake.plaintext import counted
from sweepstake.search import GridPolicy, ManualPolicy, NoProposal, RandomPolicy
from sweepstake.spec.experiment import ExperimentSpec
from sweepstake.spec.naming import named_tasks, task_names
from sweepstake.spec.parts import Priority
from sweepstake.spec.records import told
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tasks import TaskSpec
from sweepstake.spec.tree import Found
from sweepstake.values import EMPTY, JsonObject

__all__ = ["PRIORITIES", "expand", "job_faults", "proposed_task", "said_of", "search_of", "settings_of"]

#: What each word of a task is to the queue.
PRIORITIES: Final[Mapping[Priority, int]] = {
    Priority.immediate: 30,
    Priority.urgent: 20,
    Priority.high: 10,
    Priority.normal: 0,
    Priority.low: -10,
    Priority.preemptible: -20,
}
#: The most jobs of one spec.
_MOST: Final = 1_000_000
#: Characters of an id that the name of its task may have; the rest says which of the task's jobs it is.
_LONGEST: Final = MAX_NAME - 55
_NO_SWEEP: Final = SweepSpec(search=ManualPolicy.kind)


@frozen(kw_only=True)
class _Point:
    """One configuration of a sweep, and which repeat of it.

    Attributes:
        mark: tells its jobs from others of their task.
    """

    hyperparameters: JsonObject = EMPTY
    seed: int | None = None
    mark: str = ""


@frozen(kw_only=True)
class _Plan:
    """A spec, looked at for its jobs.

    Attributes:
        tasks: by name, each after those that it waits for.
        place: where the sweep stands, the last step first.
        swept: the names of the tasks that are run for each point of it.
    """

    tasks: Mapping[str, TaskSpec]
    sweep: SweepSpec | None = None
    place: list[str | int] = field(factory=list)
    swept: frozenset[str] = frozenset()


def settings_of(spec: ExperimentSpec) -> Settings:
    """Return what an experiment with this spec asks of the queue."""
    return Settings(**said_of(spec))


def said_of(spec: ExperimentSpec) -> dict[str, Any]:
    """Return those settings of an experiment that a spec says, by name."""
    sweep = _plan_of(spec).sweep or _NO_SWEEP
    retries = spec.retry.allowed_task_retries if spec.retry is not None else None
    said = {
        "max_attempts": None if retries is None else 1 + retries,
        "max_running": sweep.max_running,
        "objective": sweep.objective,
        "direction": sweep.direction,
    }
    return {name: value for name, value in said.items() if value is not None}


def job_faults(spec: ExperimentSpec) -> Iterator[Found]:
    """Yield why no jobs can be made of a spec that is otherwise in order."""
    names = task_names(spec)
    for i, name in enumerate(names):
        try:
            check_name(name, "name")
        except InvalidInputError as error:
            yield from (Found(problem, None, ["name", i, "tasks"]) for _, problem in error.problems)
    plan = _plan_of(spec)
    fault = _unpointed(plan)
    if fault is not None:
        yield fault
        return
    points = _size(plan.sweep)
    amounts = {name: (points if name in plan.swept else 1) * (task.replicas or 1) for name, task in plan.tasks.items()}
    if sum(amounts.values()) > _MOST:
        problem = f"makes {counted(sum(amounts.values()), 'job')}; a spec may have {_MOST:,}"
        yield Found(problem, None, plan.place or ["tasks"])
    for i, task in enumerate(spec.tasks):
        paired = names[i] in plan.swept
        waits = sum(amounts[each] // (points if paired and each in plan.swept else 1) for each in _results(task))
        if waits > MAX_DEPENDENCIES:
            problem = f"would wait for {counted(waits, 'job')}; a job may wait for {MAX_DEPENDENCIES:,}"
            yield Found(problem, None, ["datasets", i, "tasks"])


def expand(spec: ExperimentSpec, version: int = 1) -> list[JobDraft]:
    """Return the jobs of a version of a spec, each after those that it waits for.

    The same spec and version make the same jobs, with the same ids. A random search is drawn by the version: submitted
    again as another version, a spec draws other points. Of a manual search, whoever adds jobs says what there is to
    run; of one that `proposed_task` names a task of, workers get jobs by asking.

    Args:
        spec: one that is valid.
        version: under which it is stored, from 1.

    Raises:
        SpecError: no jobs can be made of it; see `job_faults`.
    """
    found = list(job_faults(spec))
    if found:
        raise told(found)
    plan = _plan_of(spec)
    points = list(_points(plan.sweep, version))
    drafts: list[JobDraft] = []
    # By task: the ids of the jobs of each point; a task without a sweep has one.
    ids: dict[str, list[list[str]]] = {}
    taken: set[str] = set()
    for name, task in plan.tasks.items():
        ids[name] = []
        for place, point in enumerate(points if name in plan.swept else [_Point()]):
            waits = _awaited(task, ids, plan.swept, place if name in plan.swept else None)
            made = _replicated(name, task, point, waits, "" if version == 1 else f".v{version}", taken)
            ids[name].append([draft.id for draft in made])
            drafts += made
    return drafts


def _plan_of(spec: ExperimentSpec) -> _Plan:
    named = named_tasks(spec)
    tasks = _ordered(named)
    if spec.sweep is not None:
        return _Plan(tasks=tasks, sweep=spec.sweep, place=["sweep"], swept=frozenset(named))
    for i, (name, task) in enumerate(named.items()):
        if task.sweep is not None:
            return _Plan(tasks=tasks, sweep=task.sweep, place=["sweep", i, "tasks"], swept=frozenset([name]))
    return _Plan(tasks=tasks)


def _ordered(tasks: Mapping[str, TaskSpec]) -> dict[str, TaskSpec]:
    """Return the tasks, each after those whose results it mounts; there is no circle."""
    ordered: dict[str, TaskSpec] = {}
    open_: list[str] = []
    for start in tasks:
        open_.append(start)
        while open_:
            name = open_[-1]
            missing = [each for each in _results(tasks[name]) if each not in ordered]
            if missing:
                open_ += missing
            else:
                ordered.setdefault(name, tasks[open_.pop()])
    return ordered


def _results(task: TaskSpec) -> Sequence[str]:
    """Return the tasks whose results a task mounts, each once."""
    mounts = task.datasets or ()
    return list(dict.fromkeys(each.source.result for each in mounts if each.source.result is not None))


def _awaited(
    task: TaskSpec, ids: Mapping[str, list[list[str]]], swept: Iterable[str], place: int | None
) -> tuple[str, ...]:
    """Return what a job waits for: within a sweep the jobs of its own point, else all jobs of those tasks."""
    found: list[str] = []
    for name in _results(task):
        wanted = ids[name] if place is None or name not in swept else [ids[name][place]]
        found += [each for of_point in wanted for each in of_point]
    return tuple(found)


def _replicated(
    name: str, task: TaskSpec, point: _Point, waits: tuple[str, ...], ending: str, taken: set[str]
) -> list[JobDraft]:
    """Return the jobs of a task for one point: one, or a gang that begins together."""
    replicas = task.replicas or 1
    whole = _unused(f"{name[:_LONGEST]}{point.mark}{ending}", taken)
    draft = JobDraft(
        id=whole,
        hyperparameters=point.hyperparameters,
        priority=PRIORITIES[task.context.priority or Priority.normal],
        depends_on=waits,
        prune_with=bool(waits),
        task=name,
        seed=point.seed,
    )
    if replicas == 1:
        return [draft]
    return [evolve(draft, id=_unused(f"{whole}.r{rank}", taken), gang=whole, rank=rank) for rank in range(replicas)]


def _unused(wanted: str, taken: set[str]) -> str:
    """Return an id that no other job of the version has: a task may be called as another's job would be."""
    while wanted in taken:
        wanted += "-"
    taken.add(wanted)
    return wanted


# A search that makes jobs while others run


def proposed_task(spec: ExperimentSpec) -> str | None:
    """Return the task whose jobs the search makes when workers ask for them; None: all jobs are made at once.

    So are those of a search that learns from the jobs before, and of one that has no end.
    """
    plan = _plan_of(spec)
    if plan.sweep is None or not _proposes(plan.sweep) or _unproposable(plan, plan.sweep) is not None:
        return None
    [name] = plan.swept
    return name


def search_of(spec: ExperimentSpec) -> SearchDefinition:
    """Return the search of an experiment with this spec; where all jobs are made at once, it is a manual one."""
    sweep = _plan_of(spec).sweep
    return sweep.definition if sweep is not None and _proposes(sweep) else ManualPolicy().definition()


def _proposes(sweep: SweepSpec) -> bool:
    if sweep.search.kind == RandomPolicy.kind:
        return sweep.max_jobs is None
    return sweep.search.kind not in (GridPolicy.kind, ManualPolicy.kind)


def _unproposable(plan: _Plan, sweep: SweepSpec) -> str | None:
    """Return why jobs cannot be made one after another."""
    waited_for = {each for task in plan.tasks.values() for each in _results(task)}
    tasks = [task for name, task in plan.tasks.items() if name in plan.swept]
    if len(tasks) != 1:
        return "only one task can have it: write the sweep into that one"
    if waited_for & plan.swept or any(map(_results, tasks)):
        return "its task can neither mount results of others nor have its own mounted"
    if any((task.replicas or 1) > 1 for task in tasks):
        return "its task can have no replicas"
    return "n_seeds cannot be said" if (sweep.n_seeds or 1) > 1 else None


# The points of a sweep


def _unpointed(plan: _Plan) -> Found | None:
    """Return why a sweep makes no jobs, neither at once nor one after another."""
    sweep = plan.sweep
    if sweep is None or sweep.search.kind == ManualPolicy.kind:
        return None
    if _proposes(sweep):
        why = _unproposable(plan, sweep)
        if why is None:
            return None
        if sweep.search.kind == RandomPolicy.kind:
            return Found(f"has no end, so {why}; or say max_jobs (as run_cap in W&B's)", None, plan.place)
        problem = f"is {sweep.search.kind}, which makes one job after another as others end, so {why}"
        return Found(problem, None, ["search", *plan.place])
    if sweep.max_jobs is None or sweep.max_jobs >= (sweep.n_seeds or 1):
        return None
    problem = f"must be at least {sweep.n_seeds}, so that one configuration has all its seeds"
    return Found(problem, None, ["max_jobs", *plan.place])


def _size(sweep: SweepSpec | None) -> int:
    """Return how many jobs a swept task has, without its replicas; only whole configurations count."""
    if sweep is None or sweep.search.kind == ManualPolicy.kind or _proposes(sweep):
        return 0
    seeds = sweep.n_seeds or 1
    policy = sweep.policy()
    most = None if sweep.max_jobs is None else sweep.max_jobs // seeds
    if isinstance(policy, GridPolicy):
        most = policy.grid.size if most is None else min(policy.grid.size, most)
    assert most is not None, "an endless search has a limit"
    return most * seeds


def _points(sweep: SweepSpec | None, version: int) -> Iterator[_Point]:
    """Yield the points of a sweep, and of each its seeds."""
    size = _size(sweep)
    if not size:
        return
    assert sweep is not None, "it has a size"
    policy, seeds = sweep.policy(), sweep.n_seeds or 1
    configurations = size // seeds
    width = len(str(configurations))
    for index in range(configurations):
        proposal = policy.propose(index, version - 1, ())
        assert not isinstance(proposal, NoProposal), "it has as many"
        for seed in range(seeds):
            repeat = "" if sweep.n_seeds is None else f".s{seed}"
            yield _Point(
                hyperparameters=proposal.hyperparameters,
                seed=None if sweep.n_seeds is None else seed,
                mark=f".{index + 1:0{width}}{repeat}",
            )
