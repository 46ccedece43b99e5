"""Experiments leave a queue and come back, whole, on every store."""

import io
import json
import os
from collections.abc import Callable
from typing import Final

import attrs
import pytest

from sweepstake.client.archive import export_experiment, import_experiment
from sweepstake.clock import SystemClock
from sweepstake.domain.batches.records import BatchDraft
from sweepstake.domain.portable import ImportPart, PortableExperiment, PortableJob, Totals
from sweepstake.domain.records import JobRecord, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.errors import ClientRequestError, InvalidInputError, NotFoundError, ResourceExistsError
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import patient_queue
from tests.kit.filled import comparable, fill, fill_tasks
from tests.kit.lab import MANUAL, Lab, draft, new_key, spec


@pytest.fixture
def retrying(queue: Queue) -> Queue:
    """The queue as a client holds it."""
    return patient_queue(queue.sender, SystemClock(), os.urandom, lambda _: None)


def exported(queue: Queue, name: str) -> str:
    """Return an experiment as the text of a file."""
    file = io.StringIO()
    export_experiment(queue, name, file, lambda _: None)
    return file.getvalue()


def test_an_experiment_comes_back_as_it_went(retrying: Queue, lab: Lab) -> None:
    """Jobs, queueing, attempts and events are those of the original, beside which the copy stands."""
    fill(lab)
    text = exported(retrying, lab.name)
    copy = Lab(lab.queue, f"copy {new_key()}")
    assert import_experiment(retrying, io.StringIO(text), copy.name, lambda _: None) == copy.name
    assert comparable(exported(retrying, copy.name)) == comparable(text)
    assert [job.hyperparameters for job in copy.jobs()] == [job.hyperparameters for job in lab.jobs()]
    assert lab.queue.count_jobs(copy.name) == lab.queue.count_jobs(lab.name)
    assert [job.waiting for job in copy.jobs()] == [job.waiting for job in lab.jobs()]
    assert copy.queue.list_dependencies(copy.name, "blocked") == lab.queue.list_dependencies(lab.name, "blocked")
    assert copy.claim().job.id == lab.claim().job.id


def test_tasks_come_back_as_they_went(retrying: Queue, lab: Lab) -> None:
    """All versions of the spec, and of each job its task, gang, rank, seed, and what it needs of a worker."""
    fill_tasks(lab)
    text = exported(retrying, lab.name)
    copy = Lab(lab.queue, f"copy {new_key()}")
    import_experiment(retrying, io.StringIO(text), copy.name, lambda _: None)
    assert comparable(exported(retrying, copy.name)) == comparable(text)
    for version in (1, 2):
        here, there = (each.queue.get_spec(each.name, version) for each in (lab, copy))
        assert here == there
    assert [_of_task(job) for job in copy.jobs()] == [_of_task(job) for job in lab.jobs()]
    jupiter = (WorkerLabel(name="cluster", value="ai2/jupiter"),)
    for offer in (Offer(cpu=9, gpu=2, memory=2**31), Offer(cpu=9, gpu=2, memory=2**32, labels=jupiter)):
        for each in (lab, copy):
            found = each.queue.claim_jobs(each.name, "w", 9, offer=offer).claims
            assert [claim.job.id for claim in found] == _CLAIMED[offer.memory]
    assert copy.queue.get_gang(copy.name, "gang 1").together


def test_batches_stay_where_they_were_submitted(retrying: Queue, lab: Lab) -> None:
    """They are of a cluster: jobs that were in one are free where they arrive, and may be put into one there."""
    [job_id] = lab.add_many(1)
    submitted = BatchDraft(id="b", jobs=(job_id,), backend="slurm")
    lab.queue.intend_batches(lab.name, [submitted])
    lab.queue.begin_batch(lab.name, "b", 1, "7")
    copy = Lab(lab.queue, f"copy {new_key()}")
    import_experiment(retrying, io.StringIO(exported(retrying, lab.name)), copy.name, lambda _: None)
    assert copy.queue.list_batches(copy.name).items == ()
    assert copy.why(job_id).batch is None
    assert copy.queue.intend_batches(copy.name, [submitted]) == (1,)
    assert lab.queue.get_batch(lab.name, "b").jobid == "7"


#: Which jobs are claimed with so much memory, the second time what was left.
_CLAIMED: Final = {2**31: ["gang 0", "gang 1", "alone 2"], 2**32: ["large"]}


def _of_task(job: JobRecord) -> tuple[object, ...]:
    return job.id, job.task, job.spec_version, job.gang, job.rank, job.seed


def test_a_file_with_specs_is_one_of_a_newer_version(retrying: Queue, lab: Lab) -> None:
    """So a Sweepstake that would drop them refuses it; one without specs is as before there were any."""
    assert json.loads(exported(retrying, lab.name).splitlines()[0])["sweepstake-export"] == 1
    assert "specs" not in exported(retrying, lab.name)
    fill_tasks(lab)
    assert json.loads(exported(retrying, lab.name).splitlines()[0])["sweepstake-export"] == 2


@pytest.mark.parametrize(
    "old, new, named",
    [
        ('"gpuCount":2', '"gpuCount":-2', r"specs\[1\].document.*gpuCount"),
        ('"version":2,', '"version":3,', r"specs\[1\].version: must be 2, is 3"),
        ('"task":"large"', '"task":"huge"', r"jobs\[\d\].task: is no task of version 2"),
        ('"task":"large"', '"task":"gang"', r"jobs\[\d\].task: is no task of version 2"),
        ('"gang":"g","rank":1', '"gang":"g","rank":2', r"jobs\[\d\].gang: must be given, with a rank from 0 to 1"),
        ('"task":"large",', "", "spec_version: must stand there exactly if task does"),
        ('"gang":"g","rank":1', '"gang":"g","rank":0', "jobs: the gang 'g' is no set of replicas of one task"),
        ('"specs":2', '"specs":1', "totals.specs: says 1, and 2 have arrived"),
    ],
)
def test_a_file_whose_tasks_contradict_each_other_is_refused(
    retrying: Queue, lab: Lab, old: str, new: str, named: str
) -> None:
    """What a job runs and needs is said by a spec of the file alone."""
    fill_tasks(lab)
    text = exported(retrying, lab.name)
    assert old in text
    name = f"copy {new_key()}"
    with pytest.raises(InvalidInputError, match=named):
        import_experiment(retrying, io.StringIO(text.replace(old, new)), name, lambda _: None)
    with pytest.raises(NotFoundError):
        retrying.get_experiment(name)


@pytest.mark.parametrize("more", [0, 1])
def test_jobs_of_a_spec_that_is_stored_meanwhile_are_no_part_of_an_export(queue: Queue, lab: Lab, more: int) -> None:
    """Once its specs were read, so that all are there from which its jobs come; nor are those that came later still."""
    fill_tasks(lab)
    lab.add_many(more)  # so that the later ones are read alone, or together with those before
    before = lab.jobs()
    queue.put_spec(lab.name, spec({"name": "new"}))
    lab.add(draft(task="new"), draft("behind"))
    page = queue.export_page(lab.name, "jobs.0.0.2")
    assert [job.id for job in page.jobs] == [job.id for job in before]
    assert page.next == f"dependencies.0.0.{before[-1].seq}"


def test_a_job_that_runs_elsewhere_is_queued_here(retrying: Queue, lab: Lab) -> None:
    """Its attempt ended as released, so that no lease is held in two stores; nothing is taken from its budgets."""
    lab.add_one()
    held = lab.claim()
    copy = Lab(lab.queue, f"copy {new_key()}")
    import_experiment(retrying, io.StringIO(exported(retrying, lab.name)), copy.name, lambda _: None)
    [job] = copy.jobs()
    [attempt] = copy.attempts(job.id)
    assert (job.status, attempt.outcome) == (JobStatus.QUEUED, Outcome.RELEASED)
    assert attempt.key != held.key
    assert copy.claim().job.attempt == 2
    assert lab.finish(held).recorded


def test_a_name_that_is_taken_is_refused(retrying: Queue, lab: Lab) -> None:
    """Before anything is stored."""
    text = exported(retrying, lab.name)
    with pytest.raises(ResourceExistsError, match="--name"):
        import_experiment(retrying, io.StringIO(text), None, lambda _: None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [*lines, lines[1]],
        lambda lines: [lines[0], lines[1][:-9], *lines[2:]],
        lambda lines: [lines[0].replace('"sweepstake-export":1', '"sweepstake-export":3'), *lines[1:]],
        lambda lines: [lines[0], lines[1], lines[1], *lines[2:]],
        lambda lines: [lines[0], lines[1].replace('"QUEUED"', '"RUNNING"'), *lines[2:]],
        lambda lines: lines[1:],
        lambda _: [],
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    retrying: Queue, lab: Lab, spoil: Callable[[list[str]], list[str]]
) -> None:
    """Cut off, with a line too few or too many, broken, or newer: an error says so, and nothing is there."""
    lab.add_many(3)
    lines = spoil(exported(retrying, lab.name).splitlines(keepends=True))
    name = f"copy {new_key()}"
    with pytest.raises(InvalidInputError, match=r"line|end|totals|jobs"):
        import_experiment(retrying, lines, name, lambda _: None)
    with pytest.raises(NotFoundError):
        retrying.get_experiment(name)


DEFINITION = PortableExperiment(
    status=ExperimentStatus.RUNNING, search=MANUAL, settings=Settings(), created=1, created_at=5.0
)


def parts() -> list[ImportPart]:
    """Return an import in three parts."""
    key = new_key()
    job = PortableJob(id="only", status=JobStatus.QUEUED)
    totals = Totals(jobs=1, attempts=0, dependencies=0, events=0)
    return [
        ImportPart(id=key, number=0, experiment=DEFINITION),
        ImportPart(id=key, number=1, jobs=(job,)),
        ImportPart(id=key, number=2, totals=totals),
    ]


def test_an_import_cannot_end_with_its_first_part() -> None:
    """It would be taken and never seen: the first part only makes room."""
    first, _, last = parts()
    with pytest.raises(InvalidInputError, match="totals: must stand in the last part"):
        attrs.evolve(first, totals=last.totals)


def test_nobody_sees_an_import_before_it_ends(queue: Queue) -> None:
    """Neither by its name nor in the list."""
    name, before = f"copy {new_key()}", len(_names(queue))
    *some, last = parts()
    for part in some:
        queue.import_part(name, part)
        assert len(_names(queue)) == before
        with pytest.raises(NotFoundError):
            queue.get_experiment(name)
    queue.import_part(name, last)
    assert name in _names(queue)
    assert queue.get_experiment(name).created_at == 5.0


def _names(queue: Queue) -> list[str]:
    names, start = [], None
    while True:
        page = queue.list_experiments(start)
        names += [record.name for record in page.items]
        if (start := page.next) is None:
            return names


def test_each_part_may_come_twice(queue: Queue) -> None:
    """A repeat changes nothing, whatever it repeats; a part out of order is refused."""
    name = f"copy {new_key()}"
    first, second, last = parts()
    queue.import_part(name, first)
    with pytest.raises(InvalidInputError, match="number"):
        queue.import_part(name, last)
    for part in (first, second, second, first, last, last):
        queue.import_part(name, part)
    assert [job.id for job in Lab(queue, name).jobs()] == ["only"]


def test_an_abandoned_import_is_gone(queue: Queue) -> None:
    """Its parts are refused from then on, and another may begin."""
    name = f"copy {new_key()}"
    first, second, _ = parts()
    queue.import_part(name, first)
    queue.import_part(name, ImportPart(id=first.id, number=1, abandon=True))
    with pytest.raises(NotFoundError):
        queue.import_part(name, second)
    for part in parts():
        queue.import_part(name, part)


def test_the_later_of_two_imports_of_one_name_is_refused(queue: Queue) -> None:
    """Also if both began while there was none."""
    name = f"copy {new_key()}"
    one, other = parts(), parts()
    for part in (one[0], other[0], one[1], other[1], one[2]):
        queue.import_part(name, part)
    with pytest.raises(ResourceExistsError):
        queue.import_part(name, other[2])


def test_a_search_that_nobody_knows_is_refused(queue: Queue) -> None:
    """As for an experiment that is made here."""
    definition = PortableExperiment(
        status=ExperimentStatus.RUNNING, search=SearchDefinition("Divination"), settings=Settings()
    )
    with pytest.raises(ClientRequestError, match="Divination"):
        queue.import_part("never", ImportPart(id=new_key(), number=0, experiment=definition))
