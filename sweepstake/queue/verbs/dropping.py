"""What is kept of attempts goes with their jobs: after the job, as nothing of a disk is undone with a transaction."""

from __future__ import annotations

import logging
from typing import Final

from sweepstake.files.shelf import Place, job_name
from sweepstake.queue.store import Store
from sweepstake.stores.engine import Transaction

__all__ = ["drop_job", "drop_jobs", "sweep"]

_PAGE: Final = 500

_logger = logging.getLogger(__name__)


def drop_job(store: Store, address: str, seq: int, made: float) -> None:
    """Forget what is kept of a job that is deleted; what cannot be removed now is for `sweep`."""
    try:
        store.files.drop_job(Place(address, job_name(seq, made)))
    except OSError as error:
        _logger.warning("files of a deleted job stay for now: %s", error)


def drop_jobs(store: Store, address: str) -> None:
    """Forget what is kept of all jobs of an experiment that are gone."""
    try:
        sweep(store, store.files.folder(address))
    except OSError as error:
        _logger.warning("files of deleted jobs stay for now: %s", error)


def sweep(store: Store, folder: str | None = None) -> int:
    """Forget what is kept of jobs that are gone, in all experiments or in the folder of one; return of how many.

    A job is there before anything of it is kept, and no other ever has its name.
    """
    gone, left = 0, set[str]()
    kept = list(store.files.jobs(folder))
    for first in range(0, len(kept), _PAGE):
        page = kept[first : first + _PAGE]
        with store.read() as transaction:
            gone_here = [(where, job) for where, job in page if not _is_there(transaction, job)]
        for where, job in gone_here:
            store.files.drop_at(where, job)
        left |= {where for where, _ in gone_here}
        gone += len(gone_here)
    for where in left:  # each once, as to look into a folder takes longer the more is in it
        store.files.tidy(where)
    return gone


def _is_there(transaction: Transaction, job: str) -> bool:
    number = job.partition("-")[0]
    row = transaction.row("job_there", seq=int(number)) if number.isdecimal() else None
    return row is not None and job == job_name(*row)
