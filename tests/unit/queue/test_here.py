"""`Here`: verbs performed on a real file. It asks nobody for a role, which is for a server to do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweepstake.domain.records import ABSENT, UNGUARDED, Claim, ExperimentDraft, NoJob, SearchDefinition
from sweepstake.domain.status import JobStatus, NoJobReason
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.errors import KeyReusedError
from sweepstake.queue import calls
from sweepstake.queue.call import Call
from sweepstake.queue.here import Here
from sweepstake.stores import open_engine
from tests.kit.clocks import HandClock
from tests.kit.lab import document, draft, new_key

DRAFT = ExperimentDraft(search=SearchDefinition("Manual"))
#: Makes a write with a key, on a job `a` that waits and a job `b` that is over.
Write = Callable[[str], Call[Any]]
WRITES: dict[str, Write] = {
    "put_experiment": lambda key: calls.PutExperiment(name="new", draft=DRAFT, key=key, guard=ABSENT),
    "delete_experiment": lambda key: calls.DeleteExperiment(name="exp", key=key, guard=UNGUARDED, force=True),
    "add_job": lambda key: calls.AddJob(name="exp", draft=draft("c"), key=key),
    "add_jobs": lambda key: calls.AddJobs(name="exp", jobs=(draft("c"), draft("d")), key=key),
    "put_job": lambda key: calls.PutJob(
        name="exp", id="a", document=document(results={"x": 1}), key=key, guard=UNGUARDED
    ),
    "delete_job": lambda key: calls.DeleteJob(name="exp", id="a", key=key, guard=UNGUARDED),
    "prune": lambda key: calls.PruneJob(name="exp", id="a", key=key),
    "retry": lambda key: calls.RetryJob(name="exp", id="b", key=key),
    "set_queueing": lambda key: calls.SetQueueing(name="exp", id="a", changes=QueueingChanges(priority=7), key=key),
    "claim": lambda key: calls.ClaimJob(name="exp", key=key, worker="w", repeat=True),
}


@pytest.fixture
def here(tmp_path: Path, clock: HandClock) -> Iterator[Here]:
    """A new file with an experiment `exp`, and in it the jobs that `WRITES` write to."""
    opened = Here(open_engine(f"sqlite:///{tmp_path}/store.db", clock), clock)
    opened.send(calls.PutExperiment(name="exp", draft=DRAFT, key=new_key(), guard=ABSENT))
    jobs = (draft("a"), draft("b", of=document(JobStatus.CRASHED)))
    opened.send(calls.AddJobs(name="exp", jobs=jobs, key=new_key()))
    yield opened
    opened.close()


def kept(here: Here) -> tuple[object, ...]:
    """Return all that there is, with its versions."""
    names = [each.name for each in here.send(calls.ListExperiments()).items]
    return names, *(here.send(calls.ListJobs(name=name)).items for name in names)


def claim(here: Here) -> Claim | NoJob:
    """Claim a job."""
    return here.send(calls.ClaimJob(name="exp", key=new_key(), worker="w"))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_is_sent_again_is_performed_once(here: Here, write: Write) -> None:
    """Its answer is that of the first, and nothing is written."""
    before = kept(here)
    call = write(new_key())
    answer = here.send(call)
    after = kept(here)
    assert after != before
    assert here.send(call) == answer
    assert kept(here) == after


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_key_of_another_write_is_refused(here: Here, write: Write) -> None:
    """Whichever verb comes with it, nothing of it is done."""
    key = new_key()
    here.send(calls.PutExperiment(name="other", draft=DRAFT, key=key, guard=ABSENT))
    before = kept(here)
    with pytest.raises(KeyReusedError):
        here.send(write(key))
    assert kept(here) == before


def test_a_lease_is_measured_by_the_clock_of_the_queue(here: Here, clock: HandClock) -> None:
    """Nobody else gets the job while it lasts, and whoever claims next once it is over."""
    first = claim(here)
    assert isinstance(first, Claim)
    clock.pass_seconds(first.lease - 1)
    nothing = claim(here)
    assert isinstance(nothing, NoJob)
    assert nothing.reason is NoJobReason.EMPTY
    clock.pass_seconds(2)
    second = claim(here)
    assert isinstance(second, Claim)
    assert (second.job.id, second.job.attempt) == (first.job.id, first.job.attempt + 1)
