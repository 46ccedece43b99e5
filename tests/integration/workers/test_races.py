"""Processes that race: none run twice, none lost, limits exact, and every record consistent afterwards."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sweepstake
from sweepstake.domain.records import UNGUARDED, Claim, Guard
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import ClientRequestError
from tests.kit.crew import all_together
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.stack import open_queue

PROCESSES = 8


def make_one(_: int, address: str, name: str, limit: int) -> list[int]:
    """Start the same script as everybody else: make the experiment, and run what its search proposes."""
    with sweepstake.connect(address) as database:
        experiment = sweepstake.GridSearch(name, {"x": range(5), "y": range(6)}, max_running=limit)
        database.add_experiment(experiment, exist_ok=True)
        points = []
        while experiment.counts().done < 30:
            try:
                with experiment.next_job() as job:
                    running = experiment.counts().running
                    assert running <= limit, f"{running} jobs run, at most {limit} may"
                    points.append(job.hyperparameters["x"] * 6 + job.hyperparameters["y"])
            except sweepstake.NoJobError as none:
                assert none.reason in ("at_limit", "exhausted")  # noqa: PT017 -- one of many answers, not the end
        return points


def test_a_script_started_eight_times_shares_one_grid(address: str) -> None:
    """One experiment is made, each point of its grid is run once, and never more at once than allowed."""
    points = all_together(PROCESSES, make_one, address, "shared", 3)
    assert sorted(point for some in points for point in some) == list(range(30))


def produce(number: int, url: str, name: str) -> tuple[int, list[str]]:
    """Add the same sweep as everybody else in an order of one's own; return how many were new, and all ids."""
    with sweepstake.connect(url) as database:
        experiment = database.get_experiment(name)
        values = random.Random(number).sample(range(60), 60)
        new = 0
        ids: dict[int, str] = {}
        for first in range(0, 60, 6):
            chunk = values[first : first + 6]
            added = experiment.add_jobs(({"x": x, "y": "z"} for x in chunk), on_duplicate="skip")
            new += len(chunk) - len(added.skipped)
            ids |= dict(zip(chunk, added, strict=True))
        return new, [ids[x] for x in range(60)]


def test_producers_that_skip_duplicates_create_each_job_once(address: str) -> None:
    """Four processes add one sweep in pieces: each is told the same ids, of which each is made by one of them."""
    with sweepstake.connect(address) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("produced"))
        experiment.add_jobs({"y": "z", "x": x} for x in range(10))
        made = all_together(4, produce, address, "produced")
        assert sum(new for new, _ in made) == 50
        jobs = [job.job_id for job in experiment.all_jobs()]
        assert all(sorted(ids) == sorted(jobs) and ids == made[0][1] for _, ids in made)


def open_and_add(number: int, url: str) -> int:
    """Open a store that may not be there yet, and use it."""
    queue = open_queue(url)
    try:
        lab = Lab.new(queue, name=f"opened by {number}")
        lab.add_many(2)
        return len(lab.jobs())
    finally:
        queue.close()


def test_processes_open_a_new_store_at_once(store: str) -> None:
    """Whoever comes first makes its tables, nobody trips over another, and all use the same store."""
    assert all_together(4, open_and_add, store) == [2] * 4
    queue = open_queue(store)
    assert len(queue.list_experiments().items) == 4
    queue.close()


def work_in_two_stores(_: int, urls: list[str]) -> int:
    """Add and run jobs in two stores at once, with two threads in each; return how many were run."""

    def work(lab: Lab) -> int:
        for _ in range(100):
            lab.add_one()
            lab.finish(lab.claim())
        return 100

    queues = [open_queue(url) for url in urls]
    labs = [Lab.new(queue) for queue in queues]
    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(work, [*labs, *labs]))
    for queue in queues:
        queue.close()
    return done


def test_processes_that_use_two_files_do_not_lock_each_other_out(tmp_path: Path) -> None:
    """What the kernel takes for a deadlock, because it sees processes and not threads, is none."""
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    assert all_together(3, work_in_two_stores, urls) == [400] * 3


def do_anything(number: int, address: str, name: str, seed: int, steps: int) -> Counter[str]:
    """Do random things to a few jobs that everybody else does random things to; count what was refused, and how."""
    lab = Lab(open_queue(address), name)
    chance = random.Random(seed * 100 + number)
    held: list[Claim] = []
    answers: Counter[str] = Counter()
    for _ in range(steps):
        try:
            _do_one_thing(lab, chance, held)
            answers["done"] += 1
        except ClientRequestError as refusal:
            answers[type(refusal).__name__] += 1
    lab.queue.close()
    return answers


def _do_one_thing(lab: Lab, chance: random.Random, held: list[Claim]) -> None:
    job_id = str(chance.randrange(4))
    of = document(chance.choice(list(JobStatus)), results={"n": chance.random()})
    match chance.randrange(10):
        case 0 | 1 | 2:
            answer = lab.ask()
            if isinstance(answer, Claim):
                held.append(answer)
        case 3 | 4 if held:
            outcome = chance.choice([Outcome.DONE, Outcome.CRASHED, Outcome.RELEASED, Outcome.PREEMPTED])
            following = lab.finish(held.pop(), outcome, {"n": 1}, next_key=chance.choice([None, new_key()])).next
            if isinstance(following, Claim):
                held.append(following)
        case 5:
            lab.put(job_id, of, guard=chance.choice([UNGUARDED, Guard.match(lab.job(job_id).etag)]))
        case 6 if held:
            lab.put(held[-1].job.id, of, attempt=held[-1].key)
        case 7:
            lab.prune(job_id)
        case 8:
            lab.delete(job_id)
        case _:
            lab.add(draft(job_id))


def test_whatever_races_the_records_stay_consistent(address: str) -> None:
    """After eight processes did everything to the same few jobs, attempts, leases and counts agree with each other."""
    queue = open_queue(address)
    lab = Lab.new(queue, name="melee", max_running=3, lease=30.0)
    answers = all_together(PROCESSES, do_anything, address, "melee", 7, 60)
    assert sum(counted["done"] for counted in answers) > 100
    counts = queue.count_jobs("melee")
    jobs = lab.jobs()
    assert len({job.id for job in jobs}) == len(jobs)
    assert sum(job.status is JobStatus.RUNNING for job in jobs) == counts.running <= 3
    assert sum(job.status is JobStatus.QUEUED for job in jobs) == counts.ready
    for job in jobs:
        attempts = lab.attempts(job.id)
        assert [attempt.number for attempt in attempts] == list(range(1, job.attempt + 1))
        still_open = [attempt for attempt in attempts if attempt.outcome is None]
        assert all((attempt.outcome is None) == (attempt.ended_at is None) for attempt in attempts)
        assert [attempt.number for attempt in still_open] == [job.attempt] * (job.status is JobStatus.RUNNING)
        assert job.leased == any(attempt.lease is not None for attempt in still_open)
    queue.close()
