"""F25: workers that are killed while gangs gather and while they run."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen

import sweepstake
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.status import JobStatus, Outcome
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
    """Kill workers while gangs gather or run, then wait for all; none may run for long without one of its jobs."""
    ticks = place.folder / "shared" / "ticks"
    ticks.parent.mkdir()
    ticks.touch()
    with sweepstake.connect(place.url) as database, closing(Shell(place.url, place.machine())) as shell:
        experiment = database.add_experiment(
            sweepstake.ManualSearch(_NAME, lease=_LEASE, max_lost=10_000, max_attempts=10_000)
        )
        _put_tasks(experiment, ticks.parent)
        with _crew(shell) as crew:
            chance = random.Random(size)
            for _ in range(size):
                i = _one_at_work(experiment, crew, chance)
                time.sleep(chance.random())  # a gang gathers and runs for about so long
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


def _put_tasks(experiment: sweepstake.ManualSearch, folder: Path) -> None:
    """Store a spec of two tasks, of which the gangs of one begin anew by the word of their task."""
    variables = [{"name": "FOLDER", "value": str(folder)}]
    task = {"image": {"docker": "x"}, "command": ["sh", "-euc", _SCRIPT], "envVars": variables, "replicas": 2}
    tasks = [
        {**task, "name": "anew", "propagatePreemption": True, "synchronizedStartTimeout": f"{_TIMEOUT:g}s"},
        {**task, "name": "timed", "synchronizedStartTimeout": f"{_TIMEOUT:g}s"},
    ]
    document = JsonObject.of({"version": "v2", "tasks": tasks})
    experiment.session.queue.put_spec(_NAME, SpecDraft(text="", document=document))


def _one_at_work(experiment: sweepstake.ManualSearch, crew: Sequence["Popen[str]"], chance: random.Random) -> int:
    """Return which of the workers to kill, once one has a job of a gang; there are always gangs that wait for one."""
    queue = experiment.session.queue

    def one() -> int | None:
        counts = experiment.counts()
        if counts.ready < 2:
            gang = f"g{counts.total // 2}"
            task = ("anew", "timed")[counts.total // 2 % 2]
            queue.add_jobs(_NAME, [draft(f"{gang}.{rank}", task=task, gang=gang, rank=rank) for rank in (0, 1)])
        running = queue.list_jobs(_NAME, JobQuery(status=frozenset({JobStatus.RUNNING})), limit=100).items
        holders = {(job.worker or "").rpartition(":")[2] for job in running}
        found = [i for i, process in enumerate(crew) if str(process.pid) in holders]
        return chance.choice(found) if found else None

    return eventually(one)


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
