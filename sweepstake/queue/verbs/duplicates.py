"""Fingerprints of hyperparameters, kept for the experiments that are asked for duplicates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from sweepstake.stores.engine import Transaction
from sweepstake.values import JsonObject

__all__ = ["catch_up", "change_fingerprint", "find_equal", "is_far_behind", "remember_new"]

#: How many jobs get their fingerprints in one transaction.
_PAGE: Final = 500


def is_far_behind(transaction: Transaction, number: int) -> bool:
    """Tell whether so many jobs have no fingerprint yet that it takes more than one page to catch up."""
    row = transaction.row("count_uncompared", experiment_id=number, most=_PAGE + 1)
    return row is not None and row[0] > _PAGE


def catch_up(transaction: Transaction, number: int) -> bool:
    """Give a page of an experiment's jobs their fingerprints; true if there may be more.

    The experiment is locked, so that its jobs are created one call after another and none is passed over.
    """
    page = transaction.rows("uncompared", experiment_id=number, limit=_PAGE)
    if page:
        remember_new(transaction, number, [(seq, JsonObject(text).digest()) for seq, text in page])
    return len(page) == _PAGE


def remember_new(transaction: Transaction, number: int, digests: Iterable[tuple[int, str]]) -> None:
    """Store the fingerprints of jobs, given in order of age, that are the newest without one."""
    found = list(digests)
    seen = transaction.rows("seen", experiment_id=number, digests=json.dumps([digest for _, digest in found]))
    known = {row[0] for row in seen}
    fingerprints = []
    for seq, digest in found:
        fingerprints.append((seq, digest, seq if digest in known else 0))
        known.add(digest)
    transaction.run("remember", experiment_id=number, fingerprints=json.dumps(fingerprints))
    transaction.run("set_compared", experiment_id=number, seq=max(seq for seq, _ in found))


def find_equal(transaction: Transaction, number: int, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the id of a job for each of these digests that one has; all jobs have their fingerprints.

    `texts` has a text for each digest; a job with the same one need not be read. A fingerprint is checked against its
    job: a process of an older version changes and deletes jobs without a word.
    """
    equal: dict[str, str] = {}
    asked = set(texts)
    while asked:
        stale = set()
        for seq, digest, job_id, text in transaction.rows("equal", experiment_id=number, digests=json.dumps([*asked])):
            if job_id is None:
                transaction.run("forget_fingerprint", seq=seq)
                stale.add(digest)
            elif text != texts[digest] and JsonObject(text).digest() != digest:
                change_fingerprint(transaction, seq, JsonObject(text))
                stale.add(digest)
            else:
                equal[digest] = job_id
        asked = stale
    return equal


def change_fingerprint(transaction: Transaction, seq: int, hyperparameters: JsonObject) -> None:
    """Remember that a job, which is locked, has other hyperparameters now."""
    transaction.run("change_fingerprint", seq=seq, digest=hyperparameters.digest())
