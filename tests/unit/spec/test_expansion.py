"""The jobs that specs make."""

from typing import Any

import pytest

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.settings import Direction, Settings
from sweepstake.errors import SpecError
from sweepstake.spec import ExperimentSpec
from sweepstake.spec.expansion import expand, proposed_task, search_of, settings_of


def spec_of(*tasks: dict[str, Any], **more: Any) -> ExperimentSpec:
    """Make a spec of tasks that all have an image."""
    return ExperimentSpec.from_json({"tasks": [{"image": {"docker": "tiny"}, **task} for task in tasks], **more})


def mounts(*tasks: str) -> list[dict[str, Any]]:
    """Mount the results of tasks."""
    return [{"mountPath": f"/in{i}", "source": {"result": task}} for i, task in enumerate(tasks)]


def by_id(drafts: list[JobDraft]) -> dict[str, JobDraft]:
    """Return jobs by their ids, each of which is there once."""
    found = {draft.id: draft for draft in drafts}
    assert len(found) == len(drafts)
    return found


_GRID = {"search": "Grid", "parameters": {"lr": [1, 2], "act": ["a", "b"]}}


def test_a_task_is_a_job() -> None:
    """Called as its task is, or by its place; its priority is a number."""
    jobs = expand(spec_of({"name": "main", "context": {"priority": "urgent"}}, {}))
    assert [(job.id, job.task, job.priority, job.hyperparameters.text) for job in jobs] == [
        ("main", "main", 20, "{}"),
        ("task-2", "task-2", 0, "{}"),
    ]


@pytest.mark.parametrize(
    "word, priority",
    [("immediate", 30), ("urgent", 20), ("high", 10), ("normal", 0), ("low", -10), ("preemptible", -20)],
)
def test_words_of_priority_are_numbers(word: str, priority: int) -> None:
    """In the order that they have at Beaker."""
    [job] = expand(spec_of({"context": {"priority": word}}))
    assert job.priority == priority


def test_replicas_are_a_gang() -> None:
    """Each has its rank, and who waits for the task waits for all of them."""
    jobs = by_id(expand(spec_of({"name": "train", "replicas": 3}, {"name": "eval", "datasets": mounts("train")})))
    gang = [jobs[f"train.r{rank}"] for rank in range(3)]
    assert [(job.gang, job.rank, job.task) for job in gang] == [("train", rank, "train") for rank in range(3)]
    assert jobs["eval"].depends_on == ("train.r0", "train.r1", "train.r2")
    assert jobs["eval"].prune_with
    assert (jobs["eval"].gang, jobs["eval"].rank) == (None, None)


def test_a_grid_is_a_job_a_point() -> None:
    """In the order of the grid; tasks beside it are one job each, and what waits comes after what it waits for."""
    jobs = expand(
        spec_of(
            {"name": "merge", "datasets": mounts("train")},
            {"name": "train", "datasets": mounts("prepare"), "sweep": _GRID},
            {"name": "prepare"},
        )
    )
    assert [job.id for job in jobs] == ["prepare", "train.1", "train.2", "train.3", "train.4", "merge"]
    assert [job.hyperparameters.text for job in jobs[1:3]] == ['{"lr":1,"act":"a"}', '{"lr":1,"act":"b"}']
    assert {job.depends_on for job in jobs[1:5]} == {("prepare",)}
    assert jobs[5].depends_on == ("train.1", "train.2", "train.3", "train.4")


def test_tasks_of_one_sweep_wait_for_their_own_point() -> None:
    """Where all tasks are swept, a job waits for the jobs of its configuration and seed alone."""
    jobs = by_id(
        expand(
            spec_of({"name": "a"}, {"name": "b", "datasets": mounts("a")}, sweep={**_GRID, "maxJobs": 2, "nSeeds": 2})
        )
    )
    assert sorted(jobs) == ["a.1.s0", "a.1.s1", "b.1.s0", "b.1.s1"]
    assert jobs["b.1.s1"].depends_on == ("a.1.s1",)
    assert [jobs[f"a.1.s{seed}"].seed for seed in range(2)] == [0, 1]


def test_a_random_search_is_drawn_to_its_end() -> None:
    """The same draws for the same version, others for the next; ids of equal length."""
    sweep = {"parameters": {"lr": {"uniform": {"low": 0, "high": 1}}}, "maxJobs": 12}
    spec = spec_of({"name": "t", "sweep": sweep})
    first = expand(spec)
    assert [first[0].id, first[-1].id, len(first)] == ["t.01", "t.12", 12]
    assert first == expand(spec)
    second = expand(spec, 2)
    assert second[0].id == "t.01.v2"
    assert not {job.hyperparameters for job in first} & {job.hyperparameters for job in second}


def test_jobs_of_a_manual_search_are_added_by_others() -> None:
    """Tasks beside it are there."""
    jobs = expand(spec_of({"name": "a", "sweep": {"search": "Manual"}}, {"name": "b"}))
    assert [job.id for job in jobs] == ["b"]


def test_ids_that_would_meet_differ() -> None:
    """A task may be called as a job of another would be."""
    jobs = expand(spec_of({"name": "a.1"}, {"name": "a", "sweep": _GRID}))
    assert [job.id for job in jobs] == ["a.1", "a.1-", "a.2", "a.3", "a.4"]


def test_the_experiment_has_the_settings_of_its_spec() -> None:
    """Retries are attempts, and a sweep says how its jobs are compared."""
    sweep = {**_GRID, "objective": "loss", "direction": "min", "maxRunning": 3}
    spec = spec_of({"sweep": sweep}, retry={"allowedTaskRetries": 2})
    assert settings_of(spec) == Settings(max_attempts=3, objective="loss", direction=Direction.MINIMIZE, max_running=3)
    assert settings_of(spec_of({})) == Settings()


_UNIFORM = {"lr": {"uniform": {"low": 0, "high": 1}}}
_PBT = {
    "search": {"PBT": {"exploit": {"truncate": 0.2}, "numParallel": 2}},
    "parameters": _UNIFORM,
    "objective": "loss",
}


@pytest.mark.parametrize("sweep", [_PBT, {"parameters": _UNIFORM}], ids=["learns", "has no end"])
def test_jobs_of_some_searches_are_made_while_others_run(sweep: dict[str, Any]) -> None:
    """The experiment has that search; the jobs of other tasks are made at once."""
    spec = spec_of({"name": "a"}, {"name": "b", "sweep": sweep})
    assert [draft.id for draft in expand(spec)] == ["a"]
    assert proposed_task(spec) == "b"
    made = spec.tasks[1].sweep
    assert made is not None
    assert search_of(spec) == made.definition
    whole = spec_of({"name": "b", "sweep": {"parameters": _UNIFORM, "maxJobs": 2}})
    assert (proposed_task(whole), search_of(whole).kind) == (None, "Manual")


@pytest.mark.parametrize(
    "spec, path, problem",
    [
        (spec_of({}, {"name": ".."}), "tasks[1].name", "must not be '.' or '..', which URLs drop"),
        (
            spec_of({}, {}, sweep={"parameters": _UNIFORM}),
            "sweep",
            (
                "has no end, so only one task can have it: write the sweep into that one; or say max_jobs "
                "(as run_cap in W&B's)"
            ),
        ),
        (
            spec_of({}, sweep={**_GRID, "nSeeds": 3, "maxJobs": 2}),
            "sweep.max_jobs",
            "must be at least 3, so that one configuration has all its seeds",
        ),
        (
            spec_of({"name": "a"}, {"name": "b", "datasets": mounts("a"), "sweep": _PBT}),
            "tasks[1].sweep.search",
            (
                "is PBT, which makes one job after another as others end, so its task can neither mount results of "
                "others nor have its own mounted"
            ),
        ),
        (
            spec_of({"replicas": 2, "sweep": _PBT}),
            "tasks[0].sweep.search",
            "is PBT, which makes one job after another as others end, so its task can have no replicas",
        ),
        (
            spec_of({}, sweep={**_PBT, "nSeeds": 2}),
            "sweep.search",
            "is PBT, which makes one job after another as others end, so n_seeds cannot be said",
        ),
        (
            spec_of({}, {}, sweep={"parameters": _UNIFORM, "maxJobs": 600_000}),
            "sweep",
            "makes 1,200,000 jobs; a spec may have 1,000,000",
        ),
        (
            spec_of(
                {"name": "a", "sweep": {"parameters": _UNIFORM, "maxJobs": 501}, "replicas": 2},
                {"name": "b", "datasets": mounts("a")},
            ),
            "tasks[1].datasets",
            "would wait for 1,002 jobs; a job may wait for 1,000",
        ),
    ],
)
def test_what_makes_no_jobs_is_told(spec: ExperimentSpec, path: str, problem: str) -> None:
    """At its place."""
    with pytest.raises(SpecError) as caught:
        expand(spec)
    [fault] = caught.value.faults
    assert (fault.path, fault.problem) == (path, problem)
