"""A call that creates an experiment, delivered twice at once, in every way that the two deliveries can meet."""

from pathlib import Path

import pytest

from sweepstake.domain.records import ABSENT, UNGUARDED, ExperimentDraft, Guard
from sweepstake.queue.queue import Queue
from tests.faults.races.interleavings import open_two
from tests.faults.races.sides import Side, play
from tests.kit.lab import MANUAL, new_key

#: More statements than the call has.
_MOST = 20
_NEVER = -1


def _creation(queue: Queue, name: str, guard: Guard, key: str, halt: int) -> Side:
    draft = ExperimentDraft(search=MANUAL)
    return Side(lambda: queue.put_experiment(name, draft, guard=guard, key=key).address, halt, apart=False)


@pytest.mark.parametrize("guard", [ABSENT, UNGUARDED], ids=["absent", "unguarded"])
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_both_deliveries_are_answered_alike(
    store: str, guard: Guard, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One halts before each of its statements in turn while the other comes to its end: there is one experiment."""
    url = f"sqlite:///{tmp_path}/store.db" if store == "sqlite" else request.getfixturevalue("postgres_url")
    with open_two(url) as (queue, other):
        for halt in range(_MOST):
            name, key = f"made {halt}", new_key()
            first = _creation(queue, name, guard, key, halt)
            second = _creation(other, name, guard, key, _NEVER)
            play(first, second, apart=False)
            assert first.answer == second.answer == name
        assert len(first.between) < _MOST
