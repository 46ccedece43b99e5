"""F29: images that do not exist, images that two workers want at once, and a machine without an engine."""

from __future__ import annotations

import subprocess
from typing import Final

from attrs import evolve

from sweepstake.domain.status import JobStatus
from tests.faults.fault import Fault, Figures, Place
from tests.faults.tasks.registry import Registry
from tests.faults.tasks.site import Site, open_site

__all__ = ["FAULT"]

#: Workers that begin at once.
_WORKERS: Final = 2
_SLOWLY: Final = 0.5


def want_images(place: Place, size: int) -> Figures:
    """Let two workers want a new image at once, and one that does not exist, `size` times."""
    absent = 0
    with Registry(place.folder, _SLOWLY) as registry:
        with open_site(place, contained=True) as site:
            _refuse_without_engine(site)
        for number in range(size):
            with open_site(place, contained=True, max_attempts=2) as site:
                absent = max(absent, _want(site, registry, number))
    return {
        "rounds": size,
        "workers that pulled an image at a time": registry.at_once,
        "most askings for one that is not there": absent,
        "claimed without an engine": 0,
    }


def _refuse_without_engine(site: Site) -> None:
    """A worker that finds no engine claims nothing."""
    site.put({})
    job = site.add(1)[0]
    nowhere = evolve(site, environment={**site.environment, "PATH": str(site.shared)})
    worker = nowhere.start("--idle", "0")
    assert worker.process.wait(60) == 1, worker.says()
    assert "no container engine works here" in worker.says(), worker.says()
    assert site.lab.job(job).attempt == 0, site.lab.job(job)


def _want(site: Site, registry: Registry, number: int) -> int:
    """Let workers begin at once; return how often the registry was asked for the image that is not there."""
    there, missing = f"{registry.location}/there{number}:1", f"{registry.location}/missing{number}:1"
    site.environment.update(registry.environment)
    site.put({"image": {"docker": there}, "script": "sleep 0.5"}, {"image": {"docker": missing}}, {})
    try:
        present = site.add(_WORKERS, task="t0")
        workers = [site.start("--slots", "cpus=1,gpus=0", "--idle", "1") for _ in range(_WORKERS)]
        absent = site.add(1, task="t1")[0]
        after = site.add(1, task="t2")[0]
        said = [worker.end(within=120) for worker in workers]
    finally:
        subprocess.run(["podman", "rmi", "--force", there], capture_output=True, check=False, timeout=60)
    for job in (*present, after):
        assert site.lab.job(job).status is JobStatus.DONE, (site.lab.job(job), said)
    assert site.lab.job(absent).status is JobStatus.CRASHED, site.lab.job(absent)
    attempts = site.lab.attempts(absent)
    assert len(attempts) <= 2, attempts  # as often as the experiment says, and no more
    for attempt in attempts:
        assert f"image: '{missing}' cannot be had" in attempt.reason, attempt
        assert "manifest unknown" in attempt.output, attempt
    assert (registry.asked[f"there{number}"], registry.at_once) == (1, 1), (
        f"{registry.asked}: an image was pulled twice"
    )
    return registry.asked[f"missing{number}"]


FAULT = Fault(
    number="F29",
    words="an image that does not exist, one that two workers want at once, and a machine without an engine",
    holds="the job is CRASHED with that cause and tried no more often than it may be, others go on; one pulls at a "
    "time, and once; nothing is claimed without an engine",
    run=want_images,
    unit="rounds",
    small=1,
    full=20,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
    podman=True,
)
