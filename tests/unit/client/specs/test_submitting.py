"""Submitting specs: experiments with their jobs, whole whatever comes between."""

import platform
from pathlib import Path
from typing import Any

import pytest

import sweepstake
from sweepstake import ManualSearch, NotFoundError, ResourceExistsError, SpecError, StoreUnavailableError
from sweepstake.client.specs.submitting import Submission, submit
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.queue.call import Call
from sweepstake.queue.calls import AddJobs, PutSpec
from sweepstake.queue.queue import Queue
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.scalars import written

_FILE = """
# a sweep with what goes before and after
tasks:
  - {name: prepare, image: {docker: tiny}, command: [prepare]}
  - name: train
    image: {docker: tiny}
    command: [train, "--lr={lr}"]
    datasets: [{mountPath: /in, source: {result: prepare}}]
    sweep: {search: Grid, parameters: {lr: [0.1, 0.2]}, objective: loss, direction: min}
  - name: merge
    image: {docker: tiny}
    command: [merge]
    datasets: [{mountPath: /in, source: {result: train}}]
retry: {allowedTaskRetries: 1}
"""
_IDS = ["prepare", "train.1", "train.2", "merge"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A spec of four jobs."""
    path = tmp_path / "digits.yaml"
    path.write_text(_FILE)
    return path


def small(*names: str) -> ExperimentSpec:
    """Make a spec in Python."""
    spec = ExperimentSpec()
    for name in names:
        spec = spec.with_task(TaskSpec.new(name, docker_image="tiny", command=["true"]))
    return spec


def ids_of(experiment: sweepstake.Experiment) -> list[str]:
    """Return the ids of all jobs."""
    return [job.job_id for job in experiment.all_jobs()]


def test_a_file_becomes_an_experiment_with_its_jobs(db: sweepstake.Database, file: Path) -> None:
    """Named by its stem, with the spec as it was written; it runs, and its tag is gone."""
    exp = db.submit(file)
    assert (exp.name, exp.status, exp.settings.tags) == ("digits", "RUNNING", ())
    assert (exp.settings.max_attempts, exp.settings.objective, exp.settings.direction) == (2, "loss", "min")
    assert ids_of(exp) == _IDS
    assert exp.spec().text == _FILE
    assert [job.hyperparameters for job in exp.all_jobs()] == [{}, {"lr": 0.1}, {"lr": 0.2}, {}]
    merge = exp.get_job("merge").record
    assert (merge.task, merge.spec_version, merge.waiting) == ("merge", 1, 2)


def test_names_that_are_taken_get_a_number(db: sweepstake.Database, file: Path) -> None:
    """The next that is free; a name that was asked for is refused."""
    assert [db.submit(file).name for _ in range(3)] == ["digits", "digits-2", "digits-3"]
    with pytest.raises(ResourceExistsError, match="There is an experiment 'digits' already"):
        db.submit(file, name="digits")
    assert db.submit(str(file), name="mine").name == "mine"


def test_a_spec_made_in_python_is_named_by_its_first_task(db: sweepstake.Database) -> None:
    """It is kept as YAML."""
    exp = db.submit(small("main", "other"))
    assert (exp.name, ids_of(exp)) == ("main", ["main", "other"])
    assert "- image:" in exp.spec().text


def test_an_update_is_a_version_and_adds_its_jobs(db: sweepstake.Database) -> None:
    """The jobs that are there stay what they were; what the new version says of the experiment counts from now on."""
    db.submit(small("main"), name="exp").pause()
    exp = db.submit(small("main", "more").with_retries(4), name="exp", update=True)
    assert ids_of(exp) == ["main", "main.v2", "more.v2"]
    assert [job.record.spec_version for job in exp.all_jobs()] == [1, 2, 2]
    assert (exp.settings.max_attempts, exp.settings.tags, exp.status) == (5, (), "DONE")
    assert (exp.spec().version, len(ExperimentSpec.from_json(exp.spec(1).document.wire()).tasks)) == (2, 1)


def test_an_update_needs_its_experiment(db: sweepstake.Database) -> None:
    """One that is there, and its name."""
    with pytest.raises(NotFoundError):
        db.submit(small("main"), name="exp", update=True)
    with pytest.raises(sweepstake.InvalidInputError, match="update: needs the name"):
        db.submit(small("main"), update=True)


@pytest.mark.parametrize("text", ["tasks: [{}]", "tasks: []\nsweep: {parameters: {a: {uniform: {low: 0, high: 1}}}}"])
def test_nothing_is_made_of_a_spec_with_faults(db: sweepstake.Database, file: Path, text: str) -> None:
    """They are told with their places."""
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        db.submit(file)
    assert all(fault.line for fault in caught.value.faults)
    assert not list(db.get_experiments())


def test_what_is_no_spec_is_refused(db: sweepstake.Database) -> None:
    """A dict is read by `ExperimentSpec.from_json`."""
    given: Any = {"tasks": []}
    with pytest.raises(sweepstake.InvalidInputError, match="must be an ExperimentSpec or the path"):
        db.submit(given)


def test_what_the_queue_refuses_leaves_nothing_behind(db: sweepstake.Database, file: Path) -> None:
    """A new experiment goes again; one that was there has its tags."""
    db.add_experiment(ManualSearch("full", max_jobs=1, tags=["ours"]))
    with pytest.raises(sweepstake.LimitReachedError):
        db.submit(file, name="full", update=True)
    assert db.get_experiment("full").settings.tags == ("ours",)


class _Failing:
    """A sender that fails once, before or after a call of some kind is made."""

    def __init__(self, queue: Queue, kind: type[Call[Any]], *, after: bool) -> None:
        self._sender, self._kind, self._after, self._failed = queue.sender, kind, after, False
        self.identity = queue.identity

    def send(self, call: Call[Any], /) -> Any:
        """Have a call answered, or lost."""
        failing = isinstance(call, self._kind) and not self._failed
        if failing and not self._after:
            raise self._lost()
        answer = self._sender.send(call)
        if failing:
            raise self._lost()
        return answer

    def _lost(self) -> StoreUnavailableError:
        self._failed = True
        return StoreUnavailableError("away")

    def close(self) -> None:
        """Leave the queue open."""


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [PutSpec, AddJobs])
def test_a_submission_goes_on_where_it_was_cut_off(
    db: sweepstake.Database, file: Path, kind: type[Call[Any]], after: bool, update: bool
) -> None:
    """Nothing could be claimed of it meanwhile, and in the end everything is there once."""
    name = "digits" if update else None
    if update:
        db.submit(small("main"), name="digits")
    queue = Queue(_Failing(db.session.queue, kind, after=after))
    with pytest.raises(StoreUnavailableError):
        submit(queue, Submission.of(file), name, update=update)
    half = db.get_experiment("digits")
    [tag] = half.settings.tags
    assert tag.startswith("updating:" if update else "submitting:")
    assert half.status == ("RUNNING" if update else "DONE")
    exp = db.submit(file, name=name, update=update)
    assert (exp.name, exp.status, exp.settings.tags) == ("digits", "RUNNING", ())
    assert ids_of(exp) == (["main", *(f"{each}.v2" for each in _IDS)] if update else _IDS)
    assert exp.spec().version == (2 if update else 1)
    assert len(list(db.get_experiments())) == 1


def test_a_cut_off_submission_of_another_spec_is_not_taken_over(db: sweepstake.Database, file: Path) -> None:
    """It has a number, as for any name that is taken."""
    queue = Queue(_Failing(db.session.queue, AddJobs, after=False))
    with pytest.raises(StoreUnavailableError):
        submit(queue, Submission.of(file), None, update=False)
    assert db.submit(small("digits")).name == "digits-2"


def test_a_gang_is_added_in_one_call(db: sweepstake.Database) -> None:
    """Though it stands where a call would end."""
    tasks: list[dict[str, Any]] = [{"name": f"t{i}", "image": {"docker": "tiny"}} for i in range(1999)]
    gang = {"name": "gang", "image": {"docker": "tiny"}, "replicas": 4}
    queue = Queue(_Failing(db.session.queue, AddJobs, after=True))
    with pytest.raises(StoreUnavailableError):
        submit(queue, Submission.of(ExperimentSpec.from_json({"tasks": [*tasks, gang]})), "exp", update=False)
    jobs = db.get_experiment("exp").all_jobs()
    assert [job.record.rank for job in jobs if job.record.gang] == [0, 1, 2, 3]


def test_a_spec_of_many_tasks_is_submitted(db: sweepstake.Database) -> None:
    """In several calls."""
    tasks = [{"name": f"t{i}", "image": {"docker": "tiny"}} for i in range(4500)]
    exp = db.submit(ExperimentSpec.from_json({"tasks": tasks}), name="many")
    assert (exp.counts().ready, exp.counts().total) == (4500, 4500)


def test_items_reach_the_process_as_they_were_written(db: sweepstake.Database, tmp_path: Path) -> None:
    """Whatever JSON and Python would make of them; what the file says in Python stays numbers."""
    file = tmp_path / "a.yaml"
    items = ["012", "1e-4", "1_000", "0x10", "1.50", "yes", "007", "5", "1.5", "-0", ".inf"]
    file.write_text(f"tasks:\n- {{name: a, image: {{docker: x}}, command: [a], arguments: [{', '.join(items)}]}}\n")
    exp = db.submit(file)
    [task] = ExperimentSpec.from_json(exp.spec().document.decode()).tasks
    assert [written(item) for item in task.arguments or ()] == items
    assert (ExperimentSpec.from_file(file).tasks[0].arguments or ())[0] == 10


def test_what_the_code_was_comes_with_the_spec(db: sweepstake.Database) -> None:
    """Python, what is installed, and of a repository what was changed in it; of each version its own."""
    exp = db.submit(small("a"), "exp")
    found = exp.snapshot()
    assert found is not None
    assert found["python"] == platform.python_version()
    assert any(each.startswith("attrs==") for each in found["packages"])
    exp.session.queue.put_spec("exp", SpecDraft(text="", document=exp.spec().document))
    assert (exp.snapshot(), exp.snapshot(1)) == (None, found)


def test_a_search_of_a_spec_makes_jobs_while_others_run(db: sweepstake.Database, tmp_path: Path) -> None:
    """As many as it says, beside those of other tasks; another version has as many more, or none."""
    file = tmp_path / "a.yaml"
    text = (
        "tasks:\n- {name: first, image: {docker: x}}\n- name: train\n  image: {docker: x}\n  sweep:\n"
        "    search: {PBT: {exploit: {truncate: 0.2}, numParallel: 2}}\n    objective: loss\n"
        "    parameters: {lr: {uniform: {low: 0, high: 1}}}\n    maxJobs: 3\n"
    )
    file.write_text(text)
    exp = db.submit(file)
    assert (exp.search().kind, exp.settings.max_jobs, ids_of(exp)) == ("PBT", 4, ["first"])
    exp = db.submit(file, "a", update=True)
    assert (exp.search().kind, exp.settings.max_jobs, len(ids_of(exp))) == ("PBT", 5, 2)
    exp = db.submit(small("b"), "a", update=True)
    assert (exp.search().kind, exp.settings.max_jobs, len(ids_of(exp))) == ("Manual", None, 3)


def test_jobs_are_followed_to_the_end(db: sweepstake.Database) -> None:
    """Each comes when its status has changed; a time may be set."""
    exp = db.submit(small("a", "b"), "exp")
    with pytest.raises(TimeoutError):
        list(exp.follow(timeout=0))
    exp.stop("a")
    seen = []
    for job in exp.follow(timeout=60):
        seen.append((job.job_id, str(job.status)))
        exp.stop()
    assert seen == [("a", "PRUNED"), ("b", "PRUNED")]
