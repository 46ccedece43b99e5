"""F23: the server is away, again and again, while a worker keeps what a task leaves."""

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

_WORKER: Final = ("worker", "e", "--no-container", "--slots", "cpus=1,gpus=0", "--copy-every", "0.2", "--idle", "0")
#: Files of one MiB for each time that the server is away.
_FILES: Final = 8
_AWAY: Final = 0.5
_SCRIPT: Final = """
i=0
while [ $i -lt {files} ]; do
    i=$((i+1)); yes $i | head -c 1048576 > /out/$i; echo line $i
done
"""


def be_away(place: Place, size: int) -> Figures:
    """Kill the server `size` times while files arrive, start it again each time, and look what it has in the end."""
    assert place.server is not None, "this is about servers"
    count = size * _FILES
    shell = Shell(place.url, {"SWEEPSTAKE_STATE": str(place.folder / "state")})
    with closing(shell), sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("e"))
        put_task(experiment.session.queue, "e", _SCRIPT.format(files=count), "j")
        worker = shell.start(*_WORKER)
        for outage in range(size):
            eventually(lambda outage=outage: len(_contents(place)) > outage * _FILES)  # type: ignore[misc]
            place.server.kill()
            time.sleep(_AWAY)  # for as long as it lasts
            place.server.start()
        _, told = worker.communicate(timeout=120)
        assert "jobs run: 1 done" in told, told
        job = experiment.get_job("j")
        assert [attempt.outcome for attempt in job.attempts()] == [Outcome.DONE]
        there = job.fetch(place.folder / "there")
        for i in range(1, count + 1):
            assert (there / str(i)).read_bytes() == (f"{i}\n" * 2**20).encode()[: 2**20], i
        assert job.log() == "".join(f"line {i + 1}\n" for i in range(count))
        assert list((place.folder / "state").rglob("results/*/*/*/*")) == []
    return {"outages": size, "files kept": count, "lost": 0}


def _contents(place: Place) -> list[Path]:
    return list(place.folder.glob("store.db-files/*/*/*/1/whole/*"))


FAULT = Fault(
    number="F23",
    words="the server is killed while a worker sends it what a task left, and is back half a second later",
    holds="the attempt ends DONE, and all of its files and its output are there",
    run=be_away,
    unit="outages",
    small=1,
    full=20,
    small_kinds=("http-sqlite",),
    full_kinds=("http-sqlite",),
)
