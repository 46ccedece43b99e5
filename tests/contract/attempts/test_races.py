"""Threads that do the same thing at the same moment: limits stay exact, nothing is given twice."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from sweepstake.domain.records import ABSENT, PRESENT, Claim, ExperimentDraft, Guard, NoJob, SearchDefinition
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason
from sweepstake.errors import ClientRequestError, LimitReachedError, ResourceExistsError, UnsafeUpdateError
from sweepstake.queue.queue import Queue
from sweepstake.search import policy_for
from tests.kit.crew import THREADS, at_once
from tests.kit.lab import MANUAL, Lab, document, draft, new_key


def drain(lab: Lab) -> list[Claim]:
    """Claim and finish until there is nothing more, both in one call, and return all claims."""
    claims = []
    answer: Claim | NoJob | None = lab.ask()
    while isinstance(answer, Claim):
        claims.append(answer)
        answer = lab.finish(answer, results={"i": len(claims)}, next_key=new_key()).next
    return claims


def outcome_of(call: Callable[[], object]) -> type[ClientRequestError] | None:
    """Return the error with which a call was refused, or None."""
    try:
        call()
    except ClientRequestError as error:
        return type(error)
    return None


def _finishing(lab: Lab, claims: Sequence[Claim]) -> Callable[[int], object]:
    return lambda i: lab.finish(claims[i])


def _putting(lab: Lab, job_id: str, guard: Guard) -> Callable[[int], type[ClientRequestError] | None]:
    return lambda i: outcome_of(lambda: lab.put(job_id, document(results={"i": i}), guard=guard))


def _ending(lab: Lab, claim: Claim) -> Callable[[int], bool]:
    """Let 0 finish and 1 prune, and tell who was heard."""
    return lambda i: outcome_of(lambda: lab.prune(claim.job.id)) is None if i else lab.finish(claim).recorded


def test_no_job_is_given_twice(lab: Lab) -> None:
    """Eight draining threads share the jobs: each is claimed once, and ends DONE."""
    ids = lab.add_many(200)
    claims = [claim for claims in at_once(lambda _: drain(lab)) for claim in claims]
    assert Counter(claim.job.id for claim in claims) == Counter(ids)
    assert lab.queue.count_jobs(lab.name).done == 200


def test_a_queue_of_one_has_one_winner(lab: Lab) -> None:
    """The others are told that there is none."""
    for _ in range(5):
        lab.add_one()
        answers = at_once(lambda _: lab.ask())
        assert sum(isinstance(answer, Claim) for answer in answers) == 1


def test_max_running_is_exact(queue: Queue) -> None:
    """However many claim at once, the limit holds, and is used to the full."""
    lab = Lab.new(queue, max_running=3)
    lab.add_many(40)
    for _ in range(4):
        claims = [answer for answer in at_once(lambda _: lab.ask()) if isinstance(answer, Claim)]
        assert len(claims) == lab.queue.count_jobs(lab.name).running == 3
        at_once(_finishing(lab, claims), len(claims))


def test_max_running_is_exact_while_workers_drain(queue: Queue) -> None:
    """Also when jobs end at the same time as others begin, no more run than allowed, and all get done."""
    lab = Lab.new(queue, max_running=2)
    lab.add_many(40)
    running: set[str] = set()
    lock = threading.Lock()
    seen: list[int] = []

    def work(_: int) -> None:
        while lab.queue.count_jobs(lab.name).ready:
            answer = lab.ask()
            if isinstance(answer, NoJob):
                continue
            with lock:
                running.add(answer.key)
                seen.append(len(running))
            lab.beat(answer)
            with lock:
                running.remove(answer.key)
            lab.finish(answer)

    at_once(work, 4)
    assert max(seen) <= 2
    assert lab.queue.count_jobs(lab.name).done == 40


def test_max_running_is_exact_for_puts_and_claims(queue: Queue) -> None:
    """Old clients that put RUNNING and workers that claim share one limit."""
    lab = Lab.new(queue, max_running=3)
    ids = lab.add_many(THREADS * 2)

    def take(i: int) -> bool:
        if i % 2:
            return isinstance(lab.ask(), Claim)
        return outcome_of(lambda: lab.put(ids[-1 - i], document(JobStatus.RUNNING))) is None

    assert sum(at_once(take)) == 3
    assert lab.queue.count_jobs(lab.name).running == 3


def test_max_jobs_is_exact(queue: Queue) -> None:
    """Bulk adds, puts and proposals that race create exactly as many as allowed."""
    search = SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":0.0,"high":1.0}}}')
    lab = Lab.new(queue, max_jobs=25, search=search)

    def create(i: int) -> int:
        made = 0
        for _ in range(10):
            if i % 3 == 0:
                made += 2 * (outcome_of(lambda: lab.add(draft(), draft())) is None)
            elif i % 3 == 1:
                made += outcome_of(lambda: lab.put(new_key(), document(JobStatus.DONE), guard=ABSENT)) is None
            else:
                lab.ask()
        return made

    at_once(create)
    outcome_of(lab.add_one)
    assert len(lab.jobs()) == lab.record().created == 25
    assert outcome_of(lab.add_one) is LimitReachedError


def test_one_of_many_guarded_puts_wins(lab: Lab) -> None:
    """All read the same version; one is taken and the others are refused, round after round."""
    job_id = lab.add_one()
    for _ in range(5):
        refused = at_once(_putting(lab, job_id, Guard.match(lab.job(job_id).etag)))
        assert Counter(refused) == {None: 1, UnsafeUpdateError: THREADS - 1}


def test_one_of_many_creates_wins(lab: Lab) -> None:
    """An id is created once, by a put as by a bulk add."""

    def create(i: int) -> type[ClientRequestError] | None:
        if i % 2:
            return outcome_of(lambda: lab.add(draft("same")))
        return outcome_of(lambda: lab.put("same", document(), guard=ABSENT))

    assert Counter(at_once(create)) == {None: 1, ResourceExistsError: THREADS - 1}
    assert lab.record().created == len(lab.jobs()) == 1


def test_one_of_many_creates_an_experiment(queue: Queue) -> None:
    """64 workers may start the same script."""
    name = new_key()
    wanted = ExperimentDraft(search=MANUAL)
    refused = at_once(lambda _: outcome_of(lambda: queue.put_experiment(name, wanted, guard=ABSENT, key=new_key())))
    assert Counter(refused) == {None: 1, ResourceExistsError: THREADS - 1}


@pytest.mark.parametrize("call", ["put", "add", "claim", "finish", "prune", "delete"])
def test_a_call_repeated_while_it_is_under_way_is_made_once(lab: Lab, call: str) -> None:
    """The same key from eight threads at once has the effect of one call, and every answer says so."""
    lab.add_many(20)
    claim, key, next_key, of = lab.claim(), new_key(), new_key(), draft("new")
    ask: Callable[[int], object] = {
        "put": lambda _: lab.put("new", document(), guard=ABSENT, key=key),
        "add": lambda _: lab.queue.add_jobs(lab.name, [of], key=key),
        "claim": lambda i: lab.claim(key=key, repeat=i > 0),
        "finish": lambda i: lab.finish(claim, results={"y": 1}, key=key, next_key=next_key, repeat=i > 0),
        "prune": lambda _: lab.prune(claim.job.id, key=key),
        "delete": lambda _: lab.delete(claim.job.id, guard=Guard.match(claim.job.etag), key=key),
    }[call]
    first, *others = at_once(ask)
    assert all(other == first for other in others)
    counts = lab.queue.count_jobs(lab.name)
    expected = {"claim": (18, 2), "finish": (18, 1), "prune": (19, 0), "delete": (19, 0)}.get(call, (20, 1))
    assert (counts.ready, counts.running) == expected


def test_finishing_and_pruning_agree_on_one_outcome(lab: Lab) -> None:
    """Whoever comes first, the attempt ends once, and both sides are told the same."""
    lab.add_many(10)
    for _ in range(10):
        claim = lab.claim()
        recorded, pruned = at_once(_ending(lab, claim), 2)
        job = lab.job(claim.job.id)
        (attempt,) = lab.attempts(job.id)
        assert (job.status is JobStatus.DONE) == recorded == (not pruned)
        assert attempt.outcome is not None
        assert job.status == attempt.outcome.upper()


def test_deleting_races_with_workers_cleanly(lab: Lab) -> None:
    """An experiment deleted by force under its workers leaves nothing behind, and none of them hangs or half-writes."""
    lab.add_many(60)

    def work(i: int) -> type[ClientRequestError] | None:
        if i == 0:
            lab.claim()
            return outcome_of(lambda: lab.queue.delete_experiment(lab.name, guard=PRESENT, key=new_key(), force=True))
        return outcome_of(lambda: drain(lab))

    assert at_once(work)[0] is None
    assert outcome_of(lab.record) is not None
    again = Lab.new(lab.queue, name=lab.name)
    assert again.jobs() == []


GRID = SearchDefinition("Grid", '{"x":[0,1,2,3,4,5],"y":["a","b","c","d","e"]}')
RANDOM = SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":0.0,"high":1.0}}}')


def test_a_grid_is_proposed_once_and_whole(queue: Queue) -> None:
    """No point is proposed twice, none is lost, and then the grid is exhausted."""
    lab = Lab.new(queue, search=GRID)
    claims = [claim for claims in at_once(lambda _: drain(lab)) for claim in claims]
    points = Counter(tuple(claim.job.hyperparameters.decode().values()) for claim in claims)
    assert points == Counter((x, y) for x in range(6) for y in "abcde")
    assert lab.record().proposals == lab.record().created == 30
    assert lab.why_none() is NoJobReason.EXHAUSTED
    assert lab.record().status is ExperimentStatus.RUNNING


def test_a_random_search_proposes_every_index_once(queue: Queue) -> None:
    """Proposal i is a function of the seed and i, whoever asks for it."""
    lab = Lab.new(queue, search=RANDOM, seed=7)
    claims = [claim for claims in at_once(lambda _: [lab.claim() for _ in range(5)]) for claim in claims]
    policy = policy_for(RANDOM)
    proposals = [policy.propose(i, 7, ()) for i in range(40)]
    assert sorted(claim.job.hyperparameters.text for claim in claims) == sorted(
        proposal.hyperparameters.text  # type: ignore[union-attr]
        for proposal in proposals
    )
    assert lab.record().proposals == 40


def test_offers_and_claims_share_the_proposals(queue: Queue) -> None:
    """Old and new clients that ask the same search never get the same point."""
    lab = Lab.new(queue, search=GRID)
    at_once(lambda i: [lab.offer() if i % 2 else lab.ask() for _ in range(3)])
    jobs = lab.jobs()
    assert len({job.hyperparameters.text for job in jobs}) == len(jobs) == lab.record().proposals


def test_a_population_is_trained_to_its_end(queue: Queue) -> None:
    """Eight workers bring a population to its last generation; then the experiment is DONE."""
    params = (
        '{"objective":"max","qualityResultName":"q","numParallel":4,"init":{"x":{"uniform":{"low":0.0,"high":1.0}}},'
        '"exploit":{"truncate":0.25},"explore":{"x":{"perturb":{"minFactor":0.8,"maxFactor":1.2}}},"maxGenerations":3}'
    )
    lab = Lab.new(queue, search=SearchDefinition("PBT", params))

    def work(_: int) -> None:
        while True:
            answer = lab.ask()
            if isinstance(answer, Claim):
                lab.finish(answer, results={"q": answer.job.hyperparameters.decode()["x"]})
            elif answer.reason is NoJobReason.FINISHED:
                return

    at_once(work)
    record = lab.record()
    assert record.status is ExperimentStatus.DONE
    assert record.proposals == record.created == len(lab.jobs()) == 12
    assert lab.queue.count_jobs(lab.name).done == 12
