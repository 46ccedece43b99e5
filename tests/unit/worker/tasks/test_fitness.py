"""Whether a machine has what specs name: what is looked at, and how often."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import sweepstake
from sweepstake import Experiment, ManualSearch
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from sweepstake.worker.tasks.fitness import Fitness
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.secrets import Secrets
from sweepstake.worker.tasks.sources import Sources
from sweepstake.worker.tasks.specs import Specs


class _Looked(Mapping[str, str]):
    """An environment with one secret, which counts who looks for it."""

    def __init__(self) -> None:
        self.count = 0

    def __contains__(self, name: object) -> bool:
        self.count += 1
        return name == "SWEEPSTAKE_SECRET_here"

    def __getitem__(self, name: str) -> str:
        return "x"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


def put(experiment: Experiment, *secrets: str, **first: Any) -> None:
    """Store a spec with a task for each secret, which names it; the first has other fields as well."""
    tasks: list[dict[str, Any]] = [
        {"image": {"docker": "tiny"}, "command": ["echo", str(i)], "envVars": [{"name": "S", "secret": secret}]}
        for i, secret in enumerate(secrets)
    ]
    tasks[0] |= first
    document = JsonObject.of({"version": "v2", "tasks": tasks})
    experiment.session.queue.put_spec(experiment.reference, SpecDraft(text="", document=document))


def fitness(environment: Mapping[str, str], told: list[str]) -> Fitness:
    """Make what looks at specs, on a machine with these variables."""
    stock = Stock(sources=Sources(), secrets=Secrets(Path("none"), environment))
    return Fitness(Specs(), Offer(cpu=2), stock, lambda _: True, told.append, contains=True)


@pytest.fixture
def exp(db: sweepstake.Database) -> ManualSearch:
    """An experiment without a spec."""
    return db.add_experiment(ManualSearch("exp"))


def test_what_many_tasks_name_is_looked_for_once(exp: ManualSearch) -> None:
    """A spec of many tasks is mostly one of few images, data and secrets."""
    put(exp, *["here"] * 2000)
    environment, told = _Looked(), list[str]()
    looks = fitness(environment, told)
    assert looks.holds(exp)
    assert looks.holds(exp)
    assert (environment.count, told) == (1, [])


def test_what_is_lacking_is_looked_for_once_in_a_while(exp: ManualSearch) -> None:
    """And told once, with the first task that names it."""
    put(exp, "here", "gone", "gone")
    environment, told = _Looked(), list[str]()
    looks = fitness(environment, told)
    assert not looks.holds(exp)
    before = environment.count
    assert not looks.holds(exp)
    assert environment.count == before
    (line,) = told
    assert "the secret 'gone' is not on this machine" in line


@pytest.mark.parametrize(
    "needs", [{"resources": {"gpuCount": 1}}, {"constraints": {"cluster": ["ai2/jupiter"]}}], ids=["gpu", "cluster"]
)
def test_what_is_for_other_machines_is_not_looked_for(exp: ManualSearch, needs: dict[str, Any]) -> None:
    """A task that needs more than this worker has names what is there, and does not hold back the others."""
    told = list[str]()
    put(exp, "there", "here", **needs)
    assert fitness(_Looked(), told).holds(exp)
    assert told == []
