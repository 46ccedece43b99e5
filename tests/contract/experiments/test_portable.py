"""Experiments leave a queue and come back, whole, on every store."""

import io
import os
from collections.abc import Callable

import attrs
import pytest

from sweepstake.client.archive import export_experiment, import_experiment
from sweepstake.clock import SystemClock
from sweepstake.domain.portable import ImportPart, PortableExperiment, PortableJob, Totals
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.errors import ClientRequestError, InvalidInputError, NotFoundError, ResourceExistsError
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import patient_queue
from tests.kit.filled import comparable, fill
from tests.kit.lab import MANUAL, Lab, new_key


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
        lambda lines: [lines[0].replace('"sweepstake-export":1', '"sweepstake-export":2'), *lines[1:]],
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
