"""An experiment with something of everything, and what of its file is the same wherever it goes."""

import json
from typing import Any

from attrs import evolve

from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, draft, spec

__all__ = ["comparable", "fill", "fill_tasks"]


def fill(lab: Lab) -> None:
    """Give an experiment jobs of every kind, with attempts of every outcome."""
    values = {"lr": 1e22, "nan": float("nan"), "text": "ü\u0000\ud800"[:2], "zero": -0.0, "$key": [1, 1.0, True]}
    lab.add(draft("first", of=document(hyperparameters=values), priority=3, tags=("a", "b"), notes="two\nlines"))
    lab.add_many(5)
    for outcome in (Outcome.DONE, Outcome.RELEASED, Outcome.CRASHED, Outcome.PRUNED, Outcome.PREEMPTED):
        lab.finish(lab.claim(worker="gpu7:1"), outcome, {"loss": 0.5}, reason="why\nnot", output="the end")
    late = lab.claim()
    lab.put(late.job.id, document(JobStatus.DONE, results={"told": 1}))
    lab.finish(late, Outcome.DONE, {"late": True})
    lab.put(lab.add_one(not_before=4_000_000_000.0), document(JobStatus.CRASHED))
    lab.add_one(not_before=4_000_000_000.0)
    waits = draft(depends_on=("first",), prune_with=True, priority=-9)
    lab.add(waits, draft(depends_on=(waits.id, "first"), priority=-9), draft("blocked", depends_on=(waits.id,)))
    lab.delete(lab.add_one())


def fill_tasks(lab: Lab) -> None:
    """Give an experiment two versions of a spec, and jobs of tasks: some alone, a gang, and one that is DONE."""
    alone: dict[str, Any] = {"name": "alone", "envVars": [{"name": "TOKEN", "secret": "hf"}]}
    large: dict[str, Any] = {
        "name": "large",
        "resources": {"gpuCount": 2, "memory": "3GiB"},
        "constraints": {"cluster": ["ai2/jupiter"]},
    }
    gang: dict[str, Any] = {"name": "gang", "replicas": 2, "propagateFailure": True}
    lab.queue.put_spec(lab.name, spec(alone, gang, text="first # ü\n"))
    lab.add(*(draft(f"gang {rank}", task="gang", gang="g", rank=rank) for rank in range(2)))
    lab.add(draft("alone 1", task="alone", seed=3, priority=9))
    lab.finish(lab.claim(offer=Offer(cpu=1)), Outcome.DONE)
    code = JsonObject.of({"commit": "0f1e", "dirty": True, "diff": "+ü\n", "packages": {"numpy": "2.0"}})
    lab.queue.put_spec(lab.name, evolve(spec(large, alone, text="second"), snapshot=code))
    lab.add(draft("large", task="large", priority=5), draft("alone 2", task="alone", depends_on=("alone 1",)))
    lab.add(draft("no task"))


def comparable(text: str) -> list[Any]:
    """Return the lines of a file without the name and the traces that importing leaves."""
    lines = [json.loads(line) for line in text.splitlines()]
    kept = [line for line in lines if line.get("event", {}).get("verb") != "import"]
    kept[0].pop("name")
    kept[-1]["end"].pop("events")
    for line in kept:
        line.get("event", {}).pop("key", None)
        for attempt in line.get("job", {}).get("attempts", ()):
            attempt["key"] = attempt["key"].partition(":")[0]
            attempt["finish_key"] = attempt["finish_key"] and attempt["finish_key"].partition(":")[0]
    return kept
