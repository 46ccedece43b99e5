"""`db prune` deletes old events, and nothing by which a store knows how what it has came to be."""

import json
from contextlib import closing

from sweepstake.domain.records import UNGUARDED
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.verify import prune_events, verify
from tests.kit.history import check_history
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.oldschema import run_plainly
from tests.kit.shell import Shell
from tests.kit.stack import open_queue
from tests.kit.stores import open_store

#: A year ago is before; nothing else is.
AGE = "update events set at = at - 31536000"


def test_old_events_go_and_the_store_is_as_promised(store: str) -> None:
    """Those of experiments long gone go; retries, definitions and the writes that etags name stay; so do new ones."""
    with closing(open_queue(store)) as queue:
        lab = Lab.new(queue, name="sweep", max_running=5)
        lab.add_many(7)
        lab.put("told", document(JobStatus.DONE, results={"y": 1}))
        for _ in range(3):
            lab.put("told twice", document(JobStatus.DONE))
        crashed = lab.claim()
        lab.finish(crashed, Outcome.CRASHED)
        lab.retry(crashed.job.id)
        lab.finish(lab.claim(), Outcome.CRASHED)
        for i in range(3):
            gone = Lab.new(queue, name=f"gone {i}")
            gone.add(draft(), draft())
            queue.delete_experiment(gone.name, guard=UNGUARDED, key=new_key(), force=True)
        run_plainly(store, AGE)
        fresh, key = Lab.new(queue, name="fresh"), new_key()
        queue.delete_experiment(fresh.name, guard=UNGUARDED, key=key)
        told = Shell(store).run("db", "prune", "--older-than", "90d", "--format", "json")
        assert json.loads(told.stdout) == {"events": 3 * 3 + 2}
        queue.delete_experiment(fresh.name, guard=UNGUARDED, key=key)  # a repeat is known yet
        with closing(open_store(store)) as opened:
            assert verify(opened.ledger).found == 0
            assert prune_events(opened.ledger, before=2e9) == 2
    check_history(store)


def test_nothing_is_pruned_that_a_repeat_may_need(store: str) -> None:
    """A week is the least, and a span is wanted."""
    with closing(open_queue(store)) as queue:
        Lab.new(queue, name="sweep")
    for wrong in ("6d", "0s", "soon"):
        assert "7 days" in Shell(store).run("db", "prune", "--older-than", wrong, code=2).stderr
