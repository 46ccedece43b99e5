from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.records import JobRecord, SearchDefinition
from sweepstake.domain.settings import Direction
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.search import (
    MAXIMIZE,
    MINIMIZE,
    Choice,
    LogUniform,
    NoProposal,
    PbtPolicy,
    Perturb,
    Proposal,
    Truncate,
    Uniform,
    policy_for,
)
from sweepstake.search.population import survey
from sweepstake.values import EMPTY, JsonObject
from tests.kit.records import job

_CRASHED, _PRUNED = JobStatus.CRASHED, JobStatus.PRUNED


def _policy(**changes: Any) -> PbtPolicy:
    arguments = {
        "objective": MAXIMIZE,
        "result_name": "score",
        "exploit": Truncate(0.2),
        "explore": {"lr": Perturb(0.8, 1.2)},
        "initial_distributions": {"lr": LogUniform(1e-4, 1.0), "layers": Choice([1, 2, 3])},
        "population_size": 5,
    }
    return PbtPolicy(**(arguments | changes))


def _by_hand(**changes: Any) -> PbtPolicy:
    return _policy(initial_distributions={}, population_size=None, **changes)


def _member(seq: int, score: Any, **fields: Any) -> JobRecord:
    results = {"score": score, "weights_path": f"/w/{seq}"}
    return job(seq=seq, hyperparameters={"lr": 0.1 * seq, "layers": seq}, results=results, **fields)


def _proposed(policy: PbtPolicy, *history: JobRecord, index: int = 10, seed: int = 1) -> Proposal:
    proposal = policy.propose(index, seed, history)
    assert isinstance(proposal, Proposal)
    return proposal


def _origin(proposal: Proposal) -> dict[str, Any]:
    assert proposal.origin is not None
    return proposal.origin.decode()


class TestFirstGeneration:
    def test_is_drawn_from_the_distributions(self) -> None:
        """The first `population_size` proposals are samples, whatever jobs there are."""
        for index in range(5):
            proposal = _proposed(_policy(), _member(1, 0.5), index=index)
            found = proposal.hyperparameters.decode()
            assert 1e-4 <= found["lr"] < 1.0
            assert found["layers"] in {1, 2, 3}
            assert (proposal.results, _origin(proposal)) == (EMPTY, {"generation": 1})

    def test_without_distributions_needs_jobs_made_by_hand(self) -> None:
        """A population that nobody began has nothing to propose, and is not over."""
        assert _by_hand(max_generations=3).propose(0, 1, ()) is NoProposal.NONE

    def test_made_by_hand_has_children_at_once(self) -> None:
        """Jobs added by hand are the first generation."""
        assert _origin(_proposed(_by_hand(), _member(1, 0.5), index=0))["candidate"] == "job1"

    def test_begins_anew_when_every_job_was_deleted(self) -> None:
        """With distributions, a population without members is drawn again."""
        assert _origin(_proposed(_policy(), index=99)) == {"generation": 1}


class TestChild:
    def test_goes_on_from_its_parent(self) -> None:
        """A child has a copy of its parent's results, and its hyperparameters but for the explored ones."""
        proposal = _proposed(_by_hand(), _member(3, 0.5))
        found = proposal.hyperparameters.decode()
        assert list(found) == ["lr", "layers"]
        assert found["layers"] == 3
        assert 0.8 <= found["lr"] / (0.1 * 3) < 1.2
        assert found["lr"] != 0.1 * 3
        assert proposal.results.decode() == {"score": 0.5, "weights_path": "/w/3"}
        assert _origin(proposal) == {"generation": 2, "candidate": "job3", "parent": "job3"}

    def test_without_explore_is_a_copy(self) -> None:
        """Without strategies the hyperparameters are the parent's to the bit."""
        member = _member(3, 0.5)
        assert _proposed(_by_hand(explore={}), member).hyperparameters == member.hyperparameters

    @pytest.mark.parametrize("hyperparameters", [{}, {"lr": "high"}, {"lr": None}, {"lr": [0.1]}, {"lr": True}])
    def test_leaves_alone_what_it_cannot_explore(self, hyperparameters: dict[str, Any]) -> None:
        """An explored hyperparameter that the parent lacks, or that is no number, stays as it is."""
        member = job(seq=1, hyperparameters=hyperparameters, results={"score": 1})
        assert _proposed(_by_hand(), member).hyperparameters == member.hyperparameters

    def test_is_of_the_oldest_member_without_one(self) -> None:
        """Members have their children in the order of their age, each one child."""
        first = _proposed(_by_hand(), _member(1, 0.5), _member(2, 0.6))
        assert _origin(first)["candidate"] == "job1"
        child = job(seq=3, status=JobStatus.RUNNING, origin=_origin(first))
        assert _origin(_proposed(_by_hand(), _member(1, 0.5), _member(2, 0.6), child))["candidate"] == "job2"

    def test_counts_the_generations_of_its_lineage(self) -> None:
        """A child is one generation above its candidate, not above its parent."""
        old = _member(2, 0.9, origin={"generation": 7, "candidate": "job0", "parent": "job0"})
        assert _origin(_proposed(_by_hand(), _member(1, 0.1), old)) == {
            "generation": 2,
            "candidate": "job1",
            "parent": "job2",
        }


class TestExploit:
    @pytest.mark.parametrize("objective,best", [(MAXIMIZE, {"job9", "job10"}), (MINIMIZE, {"job1", "job2"})])
    def test_replaces_the_worst_by_the_best(self, objective: str, best: set[str]) -> None:
        """Exactly the worst fifth of ten members continue from a random one of the best fifth."""
        members = [_member(seq, seq / 10) for seq in range(1, 11)]
        parents: dict[str, set[str]] = {}
        for candidate in range(1, 11):
            ordered = [members[candidate - 1], *(m for m in members if m.seq != candidate)]
            for index in range(20):
                origin = _origin(_proposed(_by_hand(objective=objective), *ordered, index=index))
                parents.setdefault(origin["candidate"], set()).add(origin["parent"])
        worst = {"job1", "job2"} if objective == MAXIMIZE else {"job9", "job10"}
        assert parents == {m.id: best if m.id in worst else {m.id} for m in members}

    def test_takes_results_and_hyperparameters_of_the_same_parent(self) -> None:
        """What replaces a bad member is a whole copy of a good one: checkpoint and hyperparameters."""
        proposal = _proposed(_by_hand(), _member(1, 0.1), _member(2, 0.9))
        assert proposal.results.decode()["weights_path"] == "/w/2"
        assert proposal.hyperparameters.decode()["layers"] == 2

    @pytest.mark.parametrize("status", [_CRASHED, _PRUNED])
    def test_replaces_crashed_and_pruned_members(self, status: JobStatus) -> None:
        """A member that ended badly is replaced by one of the best, however good its partial result."""
        history = _member(1, 100.0, status=status), _member(2, 0.2), _member(3, 0.3), _member(4, 0.4)
        assert _origin(_proposed(_by_hand(), *history)) == {"generation": 2, "candidate": "job1", "parent": "job4"}

    @pytest.mark.parametrize("score", [None, "0.9", float("nan"), float("inf"), True, [1]])
    def test_replaces_members_without_a_result(self, score: Any) -> None:
        """A member that lacks the result, or whose result is no finite number, counts as worst."""
        assert _origin(_proposed(_by_hand(), _member(1, score), _member(2, 0.2)))["parent"] == "job2"

    def test_a_lone_member_goes_on(self) -> None:
        """With one member that has a result nobody is worse than it."""
        history = _member(1, 0.1), _member(2, None, status=JobStatus.RUNNING)
        assert _origin(_proposed(_by_hand(), *history))["parent"] == "job1"

    def test_goes_back_to_earlier_members_after_an_outage(self) -> None:
        """When every lineage crashed, the best of all that ever had a result is where they go on."""
        crashed = [
            job(seq=seq + 2, status=_CRASHED, origin={"generation": 2, "candidate": f"job{seq}", "parent": f"job{seq}"})
            for seq in (1, 2)
        ]
        assert _origin(_proposed(_by_hand(), _member(1, 0.1), _member(2, 0.9), *crashed)) == {
            "generation": 3,
            "candidate": "job3",
            "parent": "job2",
        }


class TestNothingWorked:
    def test_samples_anew_while_there_is_no_result(self) -> None:
        """While every member crashed, each is replaced by a sample, and still counts as a generation."""
        proposal = _proposed(_policy(), *(job(seq=seq, status=_CRASHED) for seq in range(1, 6)))
        assert _origin(proposal) == {"generation": 2, "candidate": "job1", "parent": None}
        assert proposal.results == EMPTY
        assert set(proposal.hyperparameters.decode()) == {"lr", "layers"}

    def test_needs_jobs_made_by_hand_without_distributions(self) -> None:
        """Jobs made by hand that all crashed leave nothing to go on from, but for those that still run."""
        crashed = job(seq=1, status=_CRASHED)
        assert _by_hand().propose(0, 1, (crashed,)) is NoProposal.NONE
        assert _by_hand().propose(0, 1, (crashed, job(seq=2, status=JobStatus.RUNNING))) is NoProposal.WAITING


class TestEnd:
    def test_waits_for_running_members(self) -> None:
        """While members run or are queued and every other has its child, there is nothing to propose."""
        for status in (JobStatus.RUNNING, JobStatus.QUEUED):
            assert (
                _by_hand(max_generations=1).propose(0, 1, (_member(1, 1), job(seq=2, status=status)))
                is NoProposal.WAITING
            )
            assert _by_hand().propose(0, 1, (job(seq=2, status=status),)) is NoProposal.WAITING

    def test_is_complete_at_the_last_generation(self) -> None:
        """When every lineage had its generations the search is over, however they ended."""
        history = _member(1, 1), _member(2, None, status=_CRASHED)
        assert _by_hand(max_generations=1).propose(0, 1, history) is NoProposal.COMPLETE

    def test_never_ends_without_a_last_generation(self) -> None:
        """Without `max_generations` there is always another child."""
        member = _member(1, 1, origin={"generation": 10**6})
        assert _origin(_proposed(_by_hand(), member))["generation"] == 10**6 + 1


class _Simulation:
    """Workers that run a population's jobs in any order, on a toy problem: the best `lr` is 0.1."""

    def __init__(self, policy: PbtPolicy, *, workers: int, failures: float, seed: int) -> None:
        self.policy = policy
        self.jobs: list[JobRecord] = []
        self.proposals = 0
        self._random = Random(seed)
        self._workers = workers
        self._failures = failures
        self._seed = seed

    def run(self, limit: int) -> NoProposal | None:
        """Run until the search says that it is over (the answer) or has made `limit` jobs."""
        while len(self.jobs) < limit:
            running = [i for i, record in enumerate(self.jobs) if record.status is JobStatus.RUNNING]
            answer = self._ask() if len(running) < self._workers else NoProposal.WAITING
            if isinstance(answer, Proposal):
                self._start(answer)
            elif running:
                self._end(self._random.choice(running))
            else:
                return answer
        return None

    def _ask(self) -> Proposal | NoProposal:
        return self.policy.propose(self.proposals, self._seed, self.jobs[-self.policy.history :])

    def _start(self, proposal: Proposal) -> None:
        self.jobs.append(
            attrs.evolve(
                job(seq=self.proposals, status=JobStatus.RUNNING),
                hyperparameters=proposal.hyperparameters,
                results=proposal.results,
                origin=proposal.origin,
            )
        )
        self.proposals += 1

    def _end(self, i: int) -> None:
        record = self.jobs[i]
        if self._random.random() < self._failures:
            status = self._random.choice([_CRASHED, _PRUNED])
            self.jobs[i] = attrs.evolve(record, status=status)
            return
        score = -abs(record.hyperparameters.decode()["lr"] - 0.1)
        results = JsonObject.of({**record.results.decode(), "score": score, "weights": record.id})
        self.jobs[i] = attrs.evolve(record, status=JobStatus.DONE, results=results)


_simulations = st.builds(
    _Simulation,
    st.builds(
        _policy,
        population_size=st.integers(1, 12),
        max_generations=st.integers(1, 5),
        exploit=st.sampled_from([Truncate(0.01), Truncate(0.2), Truncate(0.5)]),
    ),
    workers=st.integers(1, 14),
    failures=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    seed=st.integers(0, 2**31),
)


class TestWholeRuns:
    @given(_simulations)
    def test_every_lineage_has_its_generations(self, simulation: _Simulation) -> None:
        """However many workers and crashes, the search ends, after as many jobs as members times generations."""
        size, generations = simulation.policy.population_size, simulation.policy.max_generations
        assert size is not None
        assert generations is not None
        assert simulation.run(limit=1000) is NoProposal.COMPLETE
        found = Counter(record.origin.decode()["generation"] for record in simulation.jobs if record.origin)
        assert found == dict.fromkeys(range(1, generations + 1), size)

    @given(_simulations)
    def test_nobody_has_two_children_of_one_place(self, simulation: _Simulation) -> None:
        """Workers that ask at once never get the same candidate."""
        simulation.run(limit=1000)
        candidates = [record.origin.decode().get("candidate") for record in simulation.jobs if record.origin]
        named = [candidate for candidate in candidates if candidate is not None]
        assert len(named) == len(set(named))

    @given(_simulations)
    def test_children_go_on_from_done_parents(self, simulation: _Simulation) -> None:
        """Every parent is DONE with a score; what is not explored is the parent's, what is moved by a factor."""
        simulation.run(limit=1000)
        by_id = {record.id: record for record in simulation.jobs}
        for record in simulation.jobs:
            parent = by_id.get((record.origin or EMPTY).decode().get("parent", ""))
            if parent is None:
                continue
            assert parent.status is JobStatus.DONE
            own, inherited = record.hyperparameters.decode(), parent.hyperparameters.decode()
            assert own["layers"] == inherited["layers"]
            assert inherited["lr"] * 0.8 <= own["lr"] <= inherited["lr"] * 1.2

    @given(_simulations)
    def test_the_same_history_gives_the_same_proposal(self, simulation: _Simulation) -> None:
        """A proposal depends on index, seed and history alone."""
        simulation.run(limit=20)
        again = policy_for(simulation.policy.definition())
        for index in range(25):
            args = index, 5, simulation.jobs[: index + 1]
            assert again.propose(*args) == simulation.policy.propose(*args)

    def test_a_population_improves(self) -> None:
        """On a toy problem, the last generation is far better than the first."""
        simulation = _Simulation(_policy(population_size=20, max_generations=20), workers=4, failures=0.1, seed=3)
        simulation.run(limit=400)
        errors: dict[int, list[float]] = {}
        for record in simulation.jobs:
            if record.status is JobStatus.DONE and record.origin is not None:
                generation = record.origin.decode()["generation"]
                errors.setdefault(generation, []).append(-record.results.decode()["score"])
        mean = {generation: sum(found) / len(found) for generation, found in errors.items()}
        assert mean[20] < mean[1] / 3

    def test_goes_on_beyond_its_window(self) -> None:
        """A long run sees only the newest jobs, and keeps all of its lineages."""
        simulation = _Simulation(_policy(population_size=3), workers=3, failures=0.2, seed=1)
        assert simulation.policy.history == 100
        assert simulation.run(limit=600) is None
        population = survey(simulation.jobs[-100:], "score", Direction.MAXIMIZE)
        assert len(population.tips) == 3
        assert sum(tip.generation for tip in population.tips) == 600


class TestWire:
    def test_is_schedys(self) -> None:
        """The stored form is what Schedy's client writes, with both spellings of the generations it uses."""
        assert JsonObject(_policy(max_generations=4).definition().params).decode() == {
            "objective": "max",
            "qualityResultName": "score",
            "numParallel": 5,
            "init": {
                "lr": {"loguniform": {"low": 1e-4, "high": 1.0}},
                "layers": {"choice": {"values": [1, 2, 3]}},
            },
            "exploit": {"truncate": 0.2},
            "explore": {"lr": {"perturb": {"minFactor": 0.8, "maxFactor": 1.2}}},
            "maxGenerations": 4,
            "max_generations": 4,
        }

    @pytest.mark.parametrize("spelling", ["maxGenerations", "max_generations"])
    def test_reads_either_spelling(self, spelling: str) -> None:
        """Either spelling of the last generation is read; null is as if it were absent."""
        params = {"objective": "min", "qualityResultName": "loss", "exploit": {"truncate": 0.2}}
        read = [PbtPolicy.of(params | {spelling: value}) for value in (3, None)]
        assert [policy.max_generations for policy in read] == [3, None]

    @pytest.mark.parametrize(
        "changes,path",
        [
            ({"objective": "up"}, "objective"),
            ({"objective": ["min"]}, "objective"),
            ({"qualityResultName": ""}, "qualityResultName"),
            ({"exploit": {"truncate": 0.9}}, "exploit.truncate"),
            ({"exploit": None}, "exploit"),
            ({"explore": {"lr": {"perturb": {"minFactor": 1, "maxFactor": 0}}}}, "explore.lr.perturb.minFactor"),
            ({"explore": []}, "explore"),
            ({"init": {"lr": {"uniform": {"low": 1, "high": 0}}}}, "init.lr.uniform.low"),
            ({"init": {"lr": {"const": 1}}}, "numParallel"),
            ({"numParallel": 0}, "numParallel"),
            ({"numParallel": 2.5}, "numParallel"),
            ({"numParallel": 10_001}, "numParallel"),
            ({"maxGenerations": 0}, "maxGenerations"),
            ({"max_generations": "3"}, "maxGenerations"),
            ({"maxGenerations": 3, "max_generations": 4}, "max_generations"),
            ({"workers": 3}, "workers"),
        ],
    )
    def test_faults_have_the_wires_names(self, changes: dict[str, Any], path: str) -> None:
        """What makes no population is refused, under the names that the sender used."""
        params = {"objective": "min", "qualityResultName": "loss", "exploit": {"truncate": 0.2}} | changes
        text = JsonObject.of(params).text
        with pytest.raises(InvalidInputError) as caught:
            policy_for(SearchDefinition("PBT", text))
        assert [found for found, _ in caught.value.problems] == [f"scheduler.PBT.{path}"]

    @pytest.mark.parametrize(
        "make,path",
        [
            (lambda: _policy(population_size=None), "population_size"),
            (lambda: _policy(exploit=0.2), "exploit"),
            (lambda: _policy(explore=["lr"]), "explore"),
            (lambda: _policy(explore={"lr": 0.1}), "explore.lr"),
            (lambda: _policy(explore={1: Perturb()}), "explore"),
            (lambda: _policy(initial_distributions={"lr": 1}), "initial_distributions.lr"),
            (lambda: _policy(result_name=None), "result_name"),
        ],
    )
    def test_faults_in_python_have_pythons_names(self, make: Callable[[], object], path: str) -> None:
        """Who makes a policy in Python is told of the arguments by their names there."""
        with pytest.raises(InvalidInputError) as caught:
            make()
        assert caught.value.problems[0][0] == path

    def test_looks_back_ten_populations(self) -> None:
        """The window grows with the population, and is generous when its size is not known."""
        sizes = {None: 1000, 1: 100, 10: 100, 50: 500}
        for size, window in sizes.items():
            assert _policy(initial_distributions={}, population_size=size).history == window
        assert _policy(initial_distributions={"x": Uniform(0, 1)}).history == 100
