"""F25: workers that are killed while gangs gather and while they run."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen

import sweepstake
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from tests.faults.fault import DIRECT, Fault, Figures, Place
from tests.kit.lab import GRACE_SECONDS, WAIT_SECONDS, draft, eventually
from tests.kit.shell import Shell

__all__ = ["FAULT"]

_NAME = "gangs"
_WORKERS = 3
_LEASE = 1.0
_TIMEOUT = 4.0
#: A replica says ten times a second that it runs, and ends when it has seen the other five times, or its end. So it
#: runs for ever when the other is not there, as those do that train together.
_SCRIPT = """
gang=${BEAKER_JOB_ID%.*}; seen=0
own=$FOLDER/$gang.$BEAKER_REPLICA_RANK; other=$FOLDER/$gang.$((1 - BEAKER_REPLICA_RANK))
until [ $seen = 5 ] || [ -e $other.done ]; do
    echo $gang $BEAKER_REPLICA_RANK $(date +%s.%N) >> $FOLDER/ticks
    touch $own
    if [ -e $other ] && [ -n "$(find $other -newermt '-1 seconds')" ]; then seen=$((seen + 1)); fi
    sleep 0.1
done
touch $own.done
"""
#: A replica whose ticks are further apart was begun anew.
_GAP = 1.0


def kill_workers(place: Place, size: int) -> Figures:
    """Kill workers now and then until all gangs are done; none may run without one of its jobs for long."""
    ticks = place.folder / "shared" / "ticks"
    ticks.parent.mkdir()
    ticks.touch()
    with sweepstake.connect(place.url) as database, closing(Shell(place.url, _machine(place.folder))) as shell:
        experiment = database.add_experiment(
            sweepstake.ManualSearch(_NAME, lease=_LEASE, max_lost=10_000, max_attempts=10_000)
        )
        _add_gangs(experiment, ticks.parent, size)
        with _crew(shell) as crew:
            chance = random.Random(size)
            for _ in range(size):
                time.sleep(chance.random() * 2.0)
                i = chance.randrange(_WORKERS)
                crew[i].kill()
                crew[i].wait()
                crew[i] = _start(shell)
            eventually(lambda: experiment.counts().done == experiment.counts().total, within=5 * WAIT_SECONDS)
        jobs = list(experiment.all_jobs())
        assert all(job.status == "DONE" for job in jobs), [job.status for job in jobs]
        outcomes = [attempt.outcome for job in jobs for attempt in job.attempts()]
    alone = _longest_alone(ticks)
    assert alone <= _TIMEOUT + _LEASE + GRACE_SECONDS, f"half a gang ran for {alone:.1f} s"
    return {
        "kills": size,
        "gangs": len(jobs) // 2,
        "attempts lost": outcomes.count(Outcome.LEASE_LOST),
        "attempts begun anew": outcomes.count(Outcome.PREEMPTED),
        "longest time of half a gang (s)": round(alone, 2),
    }


def _machine(folder: Path) -> dict[str, str]:
    """Return the variables by which workers have a home of their own."""
    (folder / "config.toml").touch()
    return {"SWEEPSTAKE_STATE": str(folder / "state"), "SWEEPSTAKE_CONFIG": str(folder / "config.toml")}


def _add_gangs(experiment: sweepstake.ManualSearch, folder: Path, size: int) -> None:
    """Add as many gangs as there will be kills; half of them begin anew by the word of their task."""
    variables = [{"name": "FOLDER", "value": str(folder)}]
    task = {"image": {"docker": "x"}, "command": ["sh", "-euc", _SCRIPT], "envVars": variables, "replicas": 2}
    tasks = [
        {**task, "name": "anew", "propagatePreemption": True, "synchronizedStartTimeout": f"{_TIMEOUT:g}s"},
        {**task, "name": "timed", "synchronizedStartTimeout": f"{_TIMEOUT:g}s"},
    ]
    queue = experiment.session.queue
    queue.put_spec(_NAME, SpecDraft(text="", document=JsonObject.of({"version": "v2", "tasks": tasks})))
    for number in range(size):
        name = tasks[number % 2]["name"]
        queue.add_jobs(_NAME, [draft(f"g{number}.{rank}", task=name, gang=f"g{number}", rank=rank) for rank in (0, 1)])


@contextmanager
def _crew(shell: Shell) -> Iterator[list["Popen[str]"]]:
    crew = [_start(shell) for _ in range(_WORKERS)]
    yield crew
    for process in crew:
        process.terminate()


def _start(shell: Shell) -> "Popen[str]":
    options = ("--no-container", "--slots", "cpus=1", "--grace", "0.2", "--crashes", "0", "--quiet")
    return shell.start("worker", _NAME, *options)


def _longest_alone(ticks: Path) -> float:
    """Return for how long at a stretch a replica ran while the other of its gang did not, and was not done."""
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in ticks.read_text().splitlines():
        gang, rank, moment = line.split()
        times[gang][rank].append(float(moment))
    longest = 0.0
    for ranks in times.values():
        for rank, own in ranks.items():
            others = ranks.get(str(1 - int(rank)), [])
            began = last = 0.0
            for tick in own:
                if any(abs(tick - other) < _GAP for other in others):
                    began = 0.0
                    continue
                if not began or tick - last > _GAP:
                    began = tick
                last = tick
                longest = max(longest, tick - began)
    return longest


FAULT = Fault(
    number="F25",
    words="kill -9 of workers while gangs gather and while they run, whose replicas wait for each other for ever",
    holds="every gang is done, and none runs without one of its jobs for longer than its timeout, a lease and 5 s",
    run=kill_workers,
    unit="kills",
    small=3,
    full=100,
    small_kinds=("sqlite",),
    full_kinds=DIRECT,
)
