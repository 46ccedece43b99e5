"""An experiment with something of everything, and what of its file is the same wherever it goes."""

import json
from typing import Any

from sweepstake.domain.status import JobStatus, Outcome
from tests.kit.lab import Lab, document, draft

__all__ = ["comparable", "fill"]


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
