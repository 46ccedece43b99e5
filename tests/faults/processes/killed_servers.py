"""F12: a server that is killed under load, and one that stays away for longer than the leases of its workers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import sweepstake
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import NoJobError, StoreUnavailableError
from tests.faults.fault import SERVED, Fault, Figures, Place
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.stack import ServerProcess, open_queue

__all__ = ["FAULT"]

_WRITERS = 4
#: Writes between two kills.
_WRITES = 20
#: Of the jobs that run while the server is away, in seconds.
_LEASE = 1.0
_LEASES_AWAY = 5
_KILLS_TO_AN_OUTAGE = 10


def kill_servers(place: Place, size: int) -> Figures:
    """Kill the server `size` times while four write; a tenth as often, let it stay away for five leases."""
    assert place.server is not None
    written = sum(_kill_under_load(place, place.server) for _ in range(size))
    outages = max(1, size // _KILLS_TO_AN_OUTAGE)
    with sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("outages", lease=_LEASE))
        for _ in range(outages):
            _stay_away(experiment, place.server)
    return {"kills": size, "acknowledged": written, "lost": 0, "outages": outages, "jobs queued again by one": 0}


def _kill_under_load(place: Place, server: ServerProcess) -> int:
    """Kill the server while it is written to, and count what it had acknowledged, all of which is there."""
    queue = open_queue(place.url)
    lab = Lab.new(queue)
    acknowledged = _write_until_killed(lab, server)
    server.start()
    jobs = {job.id: job for job in lab.jobs()}
    for job_id, text in acknowledged.items():
        assert (jobs[job_id].status, jobs[job_id].results.decode()) == (JobStatus.DONE, {"text": text})
    for job in jobs.values():
        assert job.hyperparameters.decode() == {"of": job.id}, "what was not acknowledged is whole or not there"
    queue.close()
    return len(acknowledged)


def _write_until_killed(lab: Lab, server: ServerProcess) -> dict[str, str]:
    acknowledged: dict[str, str] = {}
    enough = threading.Event()

    def write() -> None:
        while True:
            job_id, text = new_key(), "x" * 2000 + new_key()
            try:
                lab.add(draft(job_id, of=document(JobStatus.RUNNING, {"of": job_id})))
                lab.put(job_id, document(JobStatus.DONE, {"of": job_id}, {"text": text}))
            except StoreUnavailableError:
                return
            acknowledged[job_id] = text
            if len(acknowledged) >= _WRITES:
                enough.set()

    with ThreadPoolExecutor(_WRITERS) as pool:
        futures = [pool.submit(write) for _ in range(_WRITERS)]
        assert enough.wait(60)
        server.kill()
        for future in futures:
            future.result(timeout=60)
    return acknowledged


def _stay_away(experiment: sweepstake.Experiment, server: ServerProcess) -> None:
    """Kill the server while jobs run, start it after five leases, and see the jobs end as if nothing had been."""
    ids = experiment.add_jobs({"i": i} for i in range(_WRITERS))
    back, claimed = threading.Event(), threading.Semaphore(0)

    def work(_: int) -> None:
        with experiment.next_job() as job:
            claimed.release()
            assert back.wait(60)
            job.results["done"] = True

    with ThreadPoolExecutor(_WRITERS) as pool:
        futures = [pool.submit(work, i) for i in range(_WRITERS)]
        for _ in range(_WRITERS):
            assert claimed.acquire(timeout=60)
        server.kill()
        back.wait(_LEASE * _LEASES_AWAY)
        server.start()
        with pytest.raises(NoJobError):
            experiment.next_job(wait=_LEASE * 1.5)  # who asks at once shall not get a job that runs
        back.set()
        for future in futures:
            future.result(timeout=60)
    for job_id in ids:
        job = experiment.get_job(job_id)
        assert [attempt.outcome for attempt in job.attempts()] == [Outcome.DONE]
        assert job.results == {"done": True}


FAULT = Fault(
    number="F12",
    words="the server is killed under load, and a tenth as often stays away for five leases",
    holds="nothing acknowledged is lost, no running job is queued again by the outage",
    run=kill_servers,
    unit="kills",
    small=1,
    full=100,
    small_kinds=SERVED[:1],
    full_kinds=SERVED,
)
