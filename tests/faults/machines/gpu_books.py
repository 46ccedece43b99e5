"""F26: workers of one host whose books of GPUs race."""

from contextlib import closing
from pathlib import Path

import sweepstake
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from tests.faults.fault import DIRECT, Fault, Figures, Place
from tests.kit.lab import draft
from tests.kit.shell import Shell

__all__ = ["FAULT"]

_NAME = "gpus"
_WORKERS = 3
#: Numbers that no other test uses, since the locks are those of the host.
_GPUS = "701,702"
#: A GPU that is had is a folder that nobody else can make.
_SCRIPT = """
echo $CUDA_VISIBLE_DEVICES >> $FOLDER/starts
if mkdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES; then sleep 0.01; rmdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES
else echo $CUDA_VISIBLE_DEVICES >> $FOLDER/doubles; fi
"""


def race(place: Place, size: int) -> Figures:
    """Let workers that all see the same GPUs run tasks that each need one to themselves."""
    folder = place.folder / "shared"
    folder.mkdir()
    environment = {**place.machine(), "CUDA_VISIBLE_DEVICES": _GPUS}
    with sweepstake.connect(place.url) as database, closing(Shell(place.url, environment)) as shell:
        experiment = database.add_experiment(sweepstake.ManualSearch(_NAME))
        task = {
            "name": "main",
            "image": {"docker": "x"},
            "command": ["sh", "-uc", _SCRIPT],
            "envVars": [{"name": "FOLDER", "value": str(folder)}],
            "resources": {"cpuCount": 1, "gpuCount": 1},
        }
        document = JsonObject.of({"version": "v2", "tasks": [task]})
        experiment.session.queue.put_spec(_NAME, SpecDraft(text="", document=document))
        experiment.session.queue.add_jobs(_NAME, [draft(f"j{i}", task="main") for i in range(size)])
        options = ("--no-container", "--slots", "cpus=4", "--idle", "3", "--quiet")
        workers = [shell.start("worker", _NAME, *options) for _ in range(_WORKERS)]
        for worker in workers:
            _, error = worker.communicate(timeout=1800)
            assert worker.returncode == 0, error
        assert experiment.counts().done == size
        names = {job.record.worker for job in experiment.all_jobs()}
    starts, doubles = _lines(folder / "starts"), _lines(folder / "doubles")
    assert set(starts) <= set(_GPUS.split(","))
    assert not doubles, f"{len(doubles)} jobs had a GPU that another had"
    return {"starts": len(starts), "workers that had one": len(names), "doubles": len(doubles)}


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


FAULT = Fault(
    number="F26",
    words="3 workers of a host see the same 2 GPUs, and each takes what it finds free",
    holds="no GPU is had by two jobs at once, and every job is done",
    run=race,
    unit="starts",
    small=30,
    full=1000,
    small_kinds=("sqlite",),
    full_kinds=DIRECT,
)
