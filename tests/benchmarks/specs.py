"""Rows about specs: reading and checking one, and telling all that is wrong with one."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Final

from sweepstake.errors import SpecError
from sweepstake.spec import ExperimentSpec
from tests.benchmarks.bulk import new_peak, peak_megabytes
from tests.benchmarks.comparing import Row, Sizes
from tests.benchmarks.places import Places
from tests.benchmarks.report import Finding

__all__ = ["ROWS"]

#: A task as people write it, with about fifty values.
_TASK: Final = """\
- name: task-{i}
  image: {{beaker: someone/train}}
  command: [python, -m, train]
  arguments: [--lr=1e-4, --epochs, 10, --seed, {i}, --amp, true, --out, /results]
  envVars:
  - {{name: WANDB_DISABLED, value: false}}
  - {{name: HF_TOKEN, secret: HF_TOKEN}}
  - {{name: OMP_NUM_THREADS, value: 8}}
  datasets:
  - mountPath: /weka
    source:
      weka: default
  - mountPath: /data
    source: {{beaker: someone/corpus}}
    subPath: train
  result:
    path: /results
  resources: {{gpuCount: {gpus}, cpuCount: 1.5, memory: 100 GiB, sharedMemory: 10GiB}}
  constraints: {{cluster: [lab/east, lab/west]}}
  context: {{priority: high, preemptible: true}}
  timeout: 48h
"""
_FAULTY: Final = "- {{name: task-{i}, image: {{docker: a}}, replicas: -{i}}}\n"
_FAULTS: Final = 10_000


def _write(file: Path, task: str, count: int) -> None:
    file.write_text("version: v2\ntasks:\n" + "".join(task.format(i=i, gpus=i % 8) for i in range(1, count + 1)))


def _milliseconds(file: Path) -> float:
    """Return how long the processor works to read a file."""
    start = time.process_time()
    try:
        ExperimentSpec.from_file(file)
    except SpecError as error:
        if len(error.faults) < _FAULTS:
            raise
    return (time.process_time() - start) * 1000


def _reading(name: str, measure: str, task: str, count: int, most: float) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "spec.yaml"
            _write(file, task, count)
            _milliseconds(file)  # imports PyYAML
            best = min(_milliseconds(file) for _ in range(max(sizes.rounds, 3)))
        return Finding(row=name, measure=measure, unit="ms", ours=best, floor=None, target=most, at_least=False)

    return Row(name, run)


def _memory(places: Places, sizes: Sizes) -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        _write(file, _FAULTY, _FAULTS)
        context = multiprocessing.get_context("spawn")
        answer: SimpleQueue[float] = context.SimpleQueue()
        process = context.Process(target=_growth, args=(file, answer), daemon=True)
        process.start()
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"reading a faulty spec ended with {process.exitcode}; its traceback is on stderr")
        grown = answer.get()
    measure = f"a spec of {_FAULTS:,} faults: growth of peak memory"
    return Finding(row="spec-memory", measure=measure, unit="MB", ours=grown, floor=None, target=100, at_least=False)


def _growth(file: Path, answer: SimpleQueue[float]) -> None:
    before = new_peak()
    _milliseconds(file)
    answer.put(peak_megabytes() - before)


#: Seconds of the processor, the best of three rounds.
ROWS: Final = (
    _reading("spec-read-10", "a spec of 10 tasks: read and checked, processor time", _TASK, 10, 20),
    _reading("spec-read-1000", "a spec of 1,000 tasks: read and checked, processor time", _TASK, 1000, 1000),
    _reading("spec-faults", f"a spec of {_FAULTS:,} faults: all told, processor time", _FAULTY, _FAULTS, 2000),
    Row("spec-memory", _memory),
)
