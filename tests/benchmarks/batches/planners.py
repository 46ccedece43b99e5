"""Both planners, each asked in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from tests.benchmarks.batches.graphs import Graph
from tests.benchmarks.batches.simulator import Batched
from tests.kit.checkout import ROOT

__all__ = ["CANARY", "Answer", "Mode", "ask_canary", "ask_ours", "install_canary"]

#: What is compared with.
CANARY: Final = "canary-wm==26.10.15"
_LIMIT: Final = 3600


@frozen
class Mode:
    """A way to plan.

    Attributes:
        layout: ``flat`` or ``atomic``.
        by: ``count`` or ``duration``; how many or how long is the graph's own.
    """

    layout: str
    by: str

    def __str__(self) -> str:
        return f"{self.layout}, {self.by}"


def _batches(answered: Iterable[dict[str, Any]]) -> tuple[Batched, ...]:
    return tuple(Batched(**batch) for batch in answered)


@frozen(kw_only=True)
class Answer:
    """A plan, and what making it took.

    Attributes:
        seconds: of the processor.
        megabytes: the most that the process has had until then.
    """

    seconds: float
    megabytes: float
    batches: Sequence[Batched] = field(converter=_batches)


def install_canary(folder: Path) -> Path:
    """Install Canary into an environment of its own, and return its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", CANARY], check=True, timeout=_LIMIT)
    return python


def ask_ours(graphs: Sequence[Graph], mode: Mode) -> list[Answer]:
    """Have Sweepstake plan these."""
    return _ask([sys.executable, "-m", "tests.benchmarks.batches.of_ours"], graphs, mode)


def ask_canary(python: Path, graphs: Sequence[Graph], mode: Mode) -> list[Answer]:
    """Have Canary plan these."""
    return _ask([str(python), str(Path(__file__).with_name("of_canary.py"))], graphs, mode)


def _ask(command: Sequence[str], graphs: Sequence[Graph], mode: Mode) -> list[Answer]:
    questions = json.dumps([_question(graph, mode) for graph in graphs])
    asked = subprocess.run(
        command, input=questions, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True, timeout=_LIMIT
    )
    return [Answer(**answer) for answer in json.loads(asked.stdout)]


def _question(graph: Graph, mode: Mode) -> dict[str, Any]:
    capacity = graph.capacity
    return {
        "layout": mode.layout,
        "nodes": "any",
        mode.by: graph.count if mode.by == "count" else graph.duration,
        "capacity": {"cpus": capacity.cpus, "gpus": capacity.gpus, "nodes": capacity.nodes},
        "jobs": [
            {
                "id": job.id,
                "runtime": job.runtime,
                "cpus": job.cpus,
                "gpus": job.gpus,
                "nodes": job.nodes,
                "depends_on": list(job.depends_on),
            }
            for job in graph.jobs
        ],
    }
