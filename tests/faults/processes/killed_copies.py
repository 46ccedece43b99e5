"""F22: workers that are killed while they keep what a task leaves."""

import random
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import sweepstake
from sweepstake.domain.status import Outcome
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.tasks import put_task

__all__ = ["FAULT"]

_LEASE: Final = 2.0
_WORKER: Final = ("worker", "e", "--no-container", "--slots", "cpus=1,gpus=0", "--grace", "1", "--copy-every", "0.05")
#: Even attempts go on until they are killed, odd ones leave so much at once that they are killed while it is kept.
_SCRIPT: Final = """
n=20; if [ $SWEEPSTAKE_ATTEMPT -le {kills} ]; then n=1000; fi
i=0
while [ $i -lt $n ]; do
    i=$((i+1)); echo $SWEEPSTAKE_ATTEMPT $i > /out/$i; echo line $i
    if [ $n = 1000 ] && [ $((SWEEPSTAKE_ATTEMPT % 2)) = 0 ]; then sleep 0.02; fi
done
if [ $n = 1000 ] && [ $((SWEEPSTAKE_ATTEMPT % 2)) = 0 ]; then sleep 1000; fi
"""


def kill_copies(place: Place, size: int) -> Figures:
    """Kill `size` workers of one job while they copy, let another end it, and look what is kept of each attempt."""
    chance, sizes = random.Random(size), []
    shell = Shell(place.url, {"SWEEPSTAKE_STATE": str(place.folder / "state")})
    with closing(shell), sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("e", lease=_LEASE, max_lost=10_000))
        put_task(experiment.session.queue, "e", _SCRIPT.format(kills=size), "j")
        for number in range(1, size + 1):
            worker = shell.start(*_WORKER)
            eventually(lambda number=number: _contents(place, number))  # type: ignore[misc]  # mypy sees no default
            time.sleep(chance.random() * 0.3)
            worker.kill()
            worker.communicate()
        shell.run(*_WORKER, "--idle", "30", "--max-jobs", "1")
        job = experiment.get_job("j")
        outcomes = [attempt.outcome for attempt in job.attempts()]
        assert outcomes == [*[Outcome.LEASE_LOST] * size, Outcome.DONE], outcomes
        for number in range(1, size + 2):
            there = {path.name: path.read_text() for path in job.fetch(place.folder / str(number), number).iterdir()}
            assert there == {name: f"{number} {name}\n" for name in there}, f"attempt {number} has another's files"
            lines = job.log(number).splitlines()
            assert lines == [f"line {i + 1}" for i in range(len(lines))], f"output of attempt {number} has gaps"
            sizes.append(len(there))
        assert (sizes[-1], len(lines)) == (20, 20)
    return {"kills": size, "files kept of killed attempts": sum(sizes[:-1]), "wrong or another's": 0}


def _contents(place: Place, attempt: int) -> list[Path] | None:
    """Return the contents that the store keeps of an attempt, if there are some."""
    return list(place.folder.glob(f"store.db-files/*/*/*/{attempt}/whole/*")) or None


FAULT = Fault(
    number="F22",
    words="kill -9 of workers while they keep what a task leaves",
    holds="the job ends DONE once, with all that its last attempt left; of each other attempt there is what it had, "
    "apart from the others'",
    run=kill_copies,
    unit="kills",
    small=2,
    full=50,
    small_kinds=("http-sqlite",),
    full_kinds=("sqlite", "http-sqlite"),
)
