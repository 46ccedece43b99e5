"""F17: histories, some of them damaged, before both judges: `verify`, and the tests' own."""

import random
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sweepstake.queue.verify import verify
from tests.faults.fault import Fault, Figures, Place
from tests.kit.history import findings
from tests.kit.lab import Lab
from tests.kit.lively import Life
from tests.kit.stack import open_queue
from tests.kit.stores import open_store

__all__ = ["FAULT"]

_STEPS: Final = 120
#: How many damages one history is taken for.
_ROUNDS: Final = 40
#: Ways to damage one row, `{n}`; some of them change nothing, or nothing that matters.
_DAMAGES: Final[Sequence[tuple[str, str]]] = (
    *(("jobs", f"update jobs set status = '{word}' where seq = {{n}}") for word in ("QUEUED", "RUNNING", "DONE")),
    *(("jobs", f"update jobs set status = '{word}' where seq = {{n}}") for word in ("CRASHED", "PRUNED")),
    ("jobs", "update jobs set attempt = attempt + 1 where seq = {n}"),
    ("jobs", "update jobs set failures = failures + 1 where seq = {n}"),
    ("jobs", "update jobs set losses = losses + 1 where seq = {n}"),
    ("jobs", "update jobs set preemptions = preemptions + 1 where seq = {n}"),
    ("jobs", "update jobs set waiting = waiting + 1 where seq = {n}"),
    ("jobs", "update jobs set dependants = dependants + 1 where seq = {n}"),
    ("jobs", "update jobs set due = null where seq = {n}"),
    ("jobs", "update jobs set due = 4000000000.0 where seq = {n}"),
    ("jobs", "update jobs set etag = 'nobody' where seq = {n}"),
    ("jobs", "update jobs set etag = coalesce((select max(etag) from jobs where seq < {n}), etag) where seq = {n}"),
    ("jobs", "delete from jobs where seq = {n}"),
    ("attempts", "update attempts set ended_at = null where rowid_ = {n}"),
    ("attempts", "update attempts set outcome = null where rowid_ = {n}"),
    ("attempts", "update attempts set ended_at = null, outcome = null where rowid_ = {n}"),
    ("attempts", "update attempts set outcome = 'done' where rowid_ = {n}"),
    ("attempts", "update attempts set outcome = 'crashed' where rowid_ = {n}"),
    ("attempts", "update attempts set outcome = 'lease_lost' where rowid_ = {n}"),
    ("attempts", "update attempts set started_at = started_at - 100 where rowid_ = {n}"),
    ("attempts", "update attempts set started_at = started_at + 100 where rowid_ = {n}"),
    ("attempts", "update attempts set finish_key = null where rowid_ = {n}"),
    ("attempts", "update attempts set finish_key = key where rowid_ = {n}"),
    ("attempts", "update attempts set late_results = '{}' where rowid_ = {n}"),
    ("attempts", "update attempts set number = number + 9 where rowid_ = {n}"),
    ("attempts", "update attempts set lease = null where rowid_ = {n}"),
    ("attempts", "delete from attempts where rowid_ = {n}"),
    ("dependencies", "delete from dependencies where rowid_ = {n}"),
    ("events", "delete from events where seq = {n}"),
    ("events", "update events set job = 'another' where seq = {n}"),
    ("experiments", "update experiments set created = 1"),
    ("experiments", "update experiments set max_jobs = 1"),
)


def judge(place: Place, size: int) -> Figures:
    """Let histories come about at random, damage them `size` times, and compare what both judges say."""
    chance = random.Random(size)
    place.judged.clear()  # nothing is kept in the place itself
    path, damaged = place.folder / "history.db", place.folder / "damaged.db"
    found = {True: 0, False: 0}
    for i in range(size):
        if i % _ROUNDS == 0:
            path.unlink(missing_ok=True)
            _live(path, chance)
            assert _verdicts(path) == (False, False), "an undamaged history is not as promised"
        shutil.copy(path, damaged)
        statement = _damage(damaged, chance)
        verified, judged = _verdicts(damaged)
        assert verified == judged, (
            f"verify {'finds' if verified else 'misses'} what the other judge does not: {statement}"
        )
        found[verified] += 1
    return {"histories": -(-size // _ROUNDS), "damages found by both": found[True], "harmless to both": found[False]}


def _live(path: Path, chance: random.Random) -> None:
    with closing(open_queue(f"sqlite:///{path}")) as queue:
        life = Life(Lab.new(queue, name="sweep", max_attempts=2, max_jobs=1000), chance)
        for _ in range(_STEPS):
            life.step()


def _damage(path: Path, chance: random.Random) -> str:
    """Change one row, and return how."""
    table, statement = chance.choice(_DAMAGES)
    with closing(sqlite3.connect(path)) as file, file:
        order = {"attempts": "job_seq, number", "dependencies": "job_seq, on_seq"}.get(table)
        keys = file.execute(f"select {order or 'rowid'} from {table}").fetchall()
        if order is None:
            statement = statement.replace("{n}", str(chance.choice(keys)[0]))
        elif keys:
            where = " and ".join(
                f"{name} = {value}" for name, value in zip(order.split(", "), chance.choice(keys), strict=True)
            )
            statement = statement.replace("rowid_ = {n}", where)
        else:
            statement = f"update {table} set {order.split(',')[0]} = 0"
        file.execute(statement)
    return statement


def _verdicts(path: Path) -> tuple[bool, bool]:
    """Return whether `verify` finds anything, and whether the other judge does."""
    url = f"sqlite:///{path}"
    with closing(open_store(url)) as store:
        verified = verify(store.ledger).found > 0
    return verified, next(findings(url), None) is not None


FAULT = Fault(
    number="F17",
    words="histories with a fact changed behind the store's back",
    holds="`verify` and an independent judge agree on each, and on those of all other faults",
    run=judge,
    unit="damages",
    small=40,
    full=5000,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
)
