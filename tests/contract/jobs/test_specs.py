"""Specs of experiments: versions, and what their tasks are to jobs."""

import pytest

from sweepstake.domain.records import UNGUARDED
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, draft, new_key, spec


def test_specs_have_versions(lab: Lab) -> None:
    """Each one that is stored is the next version; all stay, and the last is what is read."""
    assert lab.queue.put_spec(lab.name, spec({"name": "a"}, text="first # ü\n")) == 1
    assert lab.queue.put_spec(lab.name, spec({"name": "b"}, text="second")) == 2
    last, first = lab.queue.get_spec(lab.name), lab.queue.get_spec(lab.name, 1)
    assert (last.version, last.text) == (2, "second")
    assert (first.version, first.text, first.document) == (1, "first # ü\n", spec({"name": "a"}).document)
    assert 0 < first.created_at <= last.created_at


def test_storing_a_spec_again_with_its_key_stores_it_once(lab: Lab) -> None:
    """A call whose answer was lost gives its first answer, whatever came since."""
    key = new_key()
    assert lab.queue.put_spec(lab.name, spec({"name": "a"}), key=key) == 1
    assert lab.queue.put_spec(lab.name, spec({"name": "b"})) == 2
    assert lab.queue.put_spec(lab.name, spec({"name": "a"}), key=key) == 1
    assert lab.queue.get_spec(lab.name).version == 2


def test_what_is_no_spec_is_refused(lab: Lab) -> None:
    """The error names the places, and nothing is stored."""
    with pytest.raises(InvalidInputError, match="gpuCount"):
        lab.queue.put_spec(lab.name, spec({"name": "a", "resources": {"gpuCount": -1}}))
    with pytest.raises(NotFoundError, match="no spec"):
        lab.queue.get_spec(lab.name)


def test_a_version_that_is_not_there(lab: Lab) -> None:
    """It is not found, nor is a spec of an experiment that is not there."""
    lab.queue.put_spec(lab.name, spec({"name": "a"}))
    with pytest.raises(NotFoundError, match="version 2"):
        lab.queue.get_spec(lab.name, 2)
    with pytest.raises(NotFoundError):
        lab.queue.put_spec(new_key(), spec({"name": "a"}))


def test_a_job_remembers_its_task_and_the_version(lab: Lab) -> None:
    """The version is the last of when it was added, and stays."""
    lab.queue.put_spec(lab.name, spec({"name": "a"}, {}))
    lab.add(draft("one", task="a", seed=3), draft("two", task="task-2", depends_on=("one",)))
    lab.queue.put_spec(lab.name, spec({"name": "a"}))
    lab.add(draft("three", task="a"), draft("plain"))
    found = [(job.id, job.task, job.spec_version, job.seed) for job in lab.jobs()]
    assert found == [
        ("one", "a", 1, 3),
        ("two", "task-2", 1, None),
        ("three", "a", 2, None),
        ("plain", None, None, None),
    ]
    assert lab.job("one").task == "a"


def test_a_job_names_only_tasks_of_the_last_spec(lab: Lab) -> None:
    """What a job runs and needs is said by the spec alone."""
    with pytest.raises(InvalidInputError, match=r"jobs\[1\].task"):
        lab.add(draft(), draft(task="a"))
    lab.queue.put_spec(lab.name, spec({"name": "a"}))
    lab.queue.put_spec(lab.name, spec({"name": "b"}))
    with pytest.raises(InvalidInputError, match=r"jobs\[0\].task"):
        lab.add(draft(task="a"))
    assert lab.jobs() == []


def test_a_spec_goes_with_its_experiment(queue: Queue) -> None:
    """One of the same name begins without."""
    lab = Lab.new(queue)
    queue.put_spec(lab.name, spec({"name": "a"}))
    queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key())
    again = Lab.new(queue, name=lab.name)
    with pytest.raises(NotFoundError):
        queue.get_spec(again.name)
    assert queue.put_spec(again.name, spec({"name": "a"})) == 1


def test_what_the_code_was_is_kept_with_its_version(lab: Lab) -> None:
    """Of each version its own; without one nothing is known."""
    code = JsonObject.of({"commit": "ab12", "diff": "-a\n+ü\n", "packages": ["attrs==1"]})
    for snapshot in (code, code, None):
        lab.queue.put_spec(lab.name, SpecDraft(text="", document=spec({"name": "a"}).document, snapshot=snapshot))
    assert [lab.queue.get_spec(lab.name, version).snapshot for version in (1, 2, 3)] == [code, code, None]


def test_code_outlives_another_experiment_that_had_the_same(queue: Queue) -> None:
    """Equal snapshots are kept once, for all that came with them."""
    code = JsonObject.of({"commit": new_key()})
    first, second = Lab.new(queue), Lab.new(queue)
    for lab in (first, second):
        queue.put_spec(lab.name, SpecDraft(text="", document=spec({"name": "a"}).document, snapshot=code))
    queue.delete_experiment(first.name, UNGUARDED)
    assert queue.get_spec(second.name).snapshot == code
