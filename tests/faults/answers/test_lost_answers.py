"""Answers that are lost on their way: every call has its effect once, and its caller learns the true outcome."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import sweepstake
from sweepstake.domain.status import JobStatus, Outcome
from tests.faults.answers.proxy import LossyProxy


@pytest.fixture
def lossy(address: str) -> Iterator[LossyProxy]:
    """A way to the queue that loses about one call in eight; to PostgreSQL a call is several answers."""
    with LossyProxy(address, 0.125 if address.startswith("http") else 0.04, seed=11) as proxy:
        yield proxy


@pytest.mark.parametrize("jobs", [24, pytest.param(1000, marks=pytest.mark.full)])
def test_a_sweep_over_a_lossy_network(lossy: LossyProxy, address: str, jobs: int) -> None:
    """Three workers run every job once, each result is recorded on its first attempt, and nobody hears of an error."""
    with sweepstake.connect(lossy.url) as database, sweepstake.connect(address) as quiet:
        experiment = database.add_experiment(sweepstake.ManualSearch("lossy"))
        lossy.losing = True
        added = [experiment.add_job({"i": i}).job_id for i in range(8)]
        added += experiment.add_jobs({"i": i} for i in range(8, jobs))

        def work(_: int) -> list[str]:
            done = []
            for job in experiment.claim_jobs():
                with job:
                    job.results["i"] = job.hyperparameters["i"]
                    done.append(job.job_id)
            return done

        with ThreadPoolExecutor(3) as pool:
            ran = [job_id for done in pool.map(work, range(3)) for job_id in done]
        lossy.losing = False
        after = list(quiet.get_experiment("lossy").all_jobs())
        attempts = [[attempt.outcome for attempt in job.attempts()] for job in after]
    assert lossy.cuts > 0
    assert Counter(ran) == Counter(added)
    assert [job.job_id for job in after] == added
    assert all((job.status, job.results) == (JobStatus.DONE, {"i": i}) for i, job in enumerate(after))
    assert attempts == [[Outcome.DONE]] * jobs


def test_guarded_writes_over_a_lossy_network(lossy: LossyProxy, address: str) -> None:
    """A put, a prune and a delete whose answers were lost are not refused by their own first try."""
    with sweepstake.connect(lossy.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("guarded"))
        lossy.losing = True
        for i in range(12):
            job = experiment.add_job({"i": i})
            job.results["i"] = i
            job.put()
            if i % 3 == 0:
                job.prune()
            if i % 3 == 1:
                job.delete()
        experiment.status = experiment.DONE
        experiment.push_updates()
        lossy.losing = False
        left = [(job.hyperparameters["i"], job.status) for job in experiment.all_jobs()]
        assert database.get_experiment("guarded").status == "DONE"
    assert left == [(i, JobStatus.QUEUED if i % 3 else JobStatus.PRUNED) for i in range(12) if i % 3 != 1]


def test_proposals_over_a_lossy_network(lossy: LossyProxy) -> None:
    """A grid is worked through once and whole, however often a claim has to be repeated."""
    with sweepstake.connect(lossy.url) as database:
        experiment = database.add_experiment(sweepstake.GridSearch("grid", {"x": range(4), "y": range(4)}))
        lossy.losing = True
        points = []
        for job in experiment.claim_jobs():
            with job:
                points.append((job.hyperparameters["x"], job.hyperparameters["y"]))
        lossy.losing = False
        counts = experiment.counts()
    assert sorted(points) == [(x, y) for x in range(4) for y in range(4)]
    assert (counts.done, counts.running) == (16, 0)


def test_connections_cut_all_at_once(lossy: LossyProxy) -> None:
    """A restart of the network between two calls costs nothing but a moment."""
    with sweepstake.connect(lossy.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("cut"))
        experiment.add_jobs({"i": i} for i in range(6))
        for job in experiment.claim_jobs():
            with job:
                lossy.cut_all()
        assert experiment.counts().done == 6
