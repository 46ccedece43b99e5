"""Which worker makes room for a job that waits."""

from __future__ import annotations

from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.waiting import ROOM_SECONDS, RoomAnswer
from sweepstake.queue.calls import MakeRoom
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.stores import rows

__all__: list[str] = []


@performs(MakeRoom)
def make(store: Store, call: MakeRoom) -> RoomAnswer:
    """Let one worker at a time make room for a job."""
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        row = transaction.row("job", experiment_id=experiment_id(transaction, name), id=call.id)
        if row is None or rows.JobRow._make(row).status != JobStatus.QUEUED:
            return RoomAnswer(granted=False)
        transaction.run("forget_rooms")
        made = transaction.run("make_room", seq=row[0], worker=call.worker, seconds=ROOM_SECONDS)
    return RoomAnswer(granted=bool(made))
