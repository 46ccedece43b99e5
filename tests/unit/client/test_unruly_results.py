"""Results that other threads write into, or that cannot be read: the end of the block is recorded all the same."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome


class Broken(dict[str, Any]):
    """Values whose reading fails, as of a file that was closed."""

    def __iter__(self) -> Iterator[str]:
        """Fail."""
        raise OSError("closed")

    def items(self) -> Any:
        """Fail."""
        raise OSError("closed")

    def keys(self) -> Any:
        """Fail."""
        raise OSError("closed")


class MuteError(Exception):
    """An exception that cannot even say what it is."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("mute")

    __repr__ = __str__


class MuteValue:
    """A value that fails in its own way, and cannot be shown."""

    def __float__(self) -> float:
        """Fail."""
        raise MuteError

    __array__ = __index__ = __repr__ = __float__  # type: ignore[assignment]


def test_a_thread_that_writes_on_as_the_block_ends(exp: sweepstake.ManualSearch) -> None:
    """What it had written by then is recorded, each time."""
    exp.add_jobs([{}] * 20)
    for job in exp.claim_jobs():
        over, begun = threading.Event(), threading.Event()

        def write(job: Job = job, over: threading.Event = over, begun: threading.Event = begun) -> None:
            job.results["inner"] = {str(i): i for i in range(3000)}
            i = 0
            while not over.is_set():
                i += 1
                job.results["inner"][f"more {i % 1000}"] = i
                job.results["inner"].pop(f"more {(i + 500) % 1000}", None)
                job.results[f"x{i % 1000}"] = i
                begun.set()

        thread = threading.Thread(target=write)
        try:
            with job:
                thread.start()
                assert begun.wait(60)
        finally:
            over.set()
            thread.join()
    assert exp.counts().done == 20
    assert all(job.results["inner"]["2999"] == 2999 for job in exp.all_jobs())


class Meddler(Mapping[str, Any]):
    """Values during whose reading somebody writes into the dict around them."""

    def __init__(self, around: dict[str, Any]) -> None:
        self._around = around

    def __getitem__(self, name: str) -> Any:
        """Return what it holds."""
        return {"x": 1}[name]

    def __len__(self) -> int:
        """Count what it holds."""
        return 1

    def __iter__(self) -> Iterator[str]:
        """Move the first member of the dict around to its end, and put one in the place of another."""
        self._around["first"] = self._around.pop("first")
        self._around[f"new {len(self._around)}"] = self._around.pop("last")
        return iter(["x"])


def test_what_is_written_while_the_results_are_read(exp: sweepstake.ManualSearch) -> None:
    """The results are those of one moment, whatever becomes of the dicts within them before all are read."""
    exp.add_job({})
    with exp.next_job() as job:
        inner = job.results["inner"] = {"first": [1]}
        inner |= {"meddler": Meddler(inner), "last": 2}
    assert exp.get_job(job.job_id).results == {"inner": {"first": [1], "meddler": {"x": 1}, "last": 2}}
    assert list(inner) == ["meddler", "first", "new 2"]


class Hasty(OrderedDict[str, Any]):
    """Values of which one is away when they are read for the first time."""

    looks = 0

    def __getitem__(self, name: str) -> Any:
        """Fail once."""
        self.looks += 1
        if self.looks == 1:
            raise KeyError(name)
        return super().__getitem__(name)


def test_a_mapping_that_changes_while_it_is_read(exp: sweepstake.ManualSearch) -> None:
    """It is read again."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["inner"] = Hasty(a=1, b=2)
    assert exp.get_job(job.job_id).results == {"inner": {"a": 1, "b": 2}}


def test_threads_that_ask_for_the_results_at_once(exp: sweepstake.ManualSearch) -> None:
    """They write into the same dict: none of them loses what it wrote."""
    exp.add_jobs([{}] * 100)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for job in exp.claim_jobs():
                ready = threading.Barrier(4)

                def write(i: int, job: Job = job, ready: threading.Barrier = ready) -> None:
                    ready.wait(60)
                    job.results[f"x{i}"] = job.hyperparameters[f"x{i}"] = i

                with job:
                    list(pool.map(write, range(4)))
                assert len(job.results) == len(job.hyperparameters) == 4
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("value", [Broken(x=1), MuteValue()], ids=["mapping", "value"])
def test_results_that_cannot_be_read(exp: sweepstake.ManualSearch, value: object) -> None:
    """The job is CRASHED with what can be read, and the error says so."""
    exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError), exp.next_job() as job:
        job.results["good"] = 1
        job.results["bad"] = value
    left = exp.get_job(job.job_id)
    assert (left.status, left.results["good"]) == (Job.CRASHED, 1)
    assert not exp.session.heartbeat.holds(left.attempts()[0].key)


@pytest.mark.parametrize("value", [Broken(x=1), MuteValue()], ids=["mapping", "value"])
def test_the_users_exception_wins(exp: sweepstake.ManualSearch, value: object) -> None:
    """Whatever its results are."""
    exp.add_job({})
    with pytest.raises(ZeroDivisionError) as caught, exp.next_job() as job:
        job.results["bad"] = value
        raise ZeroDivisionError("mine")
    assert exp.get_job(job.job_id).status == Job.CRASHED
    assert any("could not record" in note for note in caught.value.__notes__)


def test_results_replaced_by_what_is_none(exp: sweepstake.ManualSearch) -> None:
    """As a whole they cannot be read either."""
    exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError), exp.next_job() as job:
        job.results = Broken(x=1)
    assert exp.get_job(job.job_id).status == Job.CRASHED


def test_an_exception_that_cannot_be_shown(exp: sweepstake.ManualSearch) -> None:
    """It ends the job as any other."""
    exp.add_job({})
    with pytest.raises(MuteError), exp.next_job() as job:
        raise MuteError
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.CRASHED]


def test_an_attempt_that_cannot_be_reported_is_not_kept_alive(exp: sweepstake.ManualSearch) -> None:
    """Its lease runs out, so that somebody else can run the job."""
    exp.add_job({})
    with pytest.raises(sweepstake.SweepstakeError), exp.next_job() as job:
        key = job.attempt_key
        assert key is not None
        assert exp.session.heartbeat.holds(key)
        exp.delete(force=True)
    assert not exp.session.heartbeat.holds(str(key))


def test_what_is_written_by_many_threads_is_put(exp: sweepstake.ManualSearch) -> None:
    """`put` inside the block reads as the end does."""
    exp.add_job({})
    over = threading.Event()
    with exp.next_job() as job:
        job.results["log"] = []

        def write() -> None:
            while not over.is_set() and len(job.results["log"]) < 50_000:
                job.results["log"].append(1)
                job.results[f"x{len(job.results['log']) % 500}"] = 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(20):
                job.put()
        finally:
            over.set()
            thread.join()
    assert exp.get_job(job.job_id).status == Job.DONE
