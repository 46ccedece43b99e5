"""An independent judge of what a store has kept: its own SQL and logic, sharing nothing with the package's `verify`.

    check_history("sqlite:////tmp/store.db")  # raises AssertionError, and says what is wrong

Each rule is a query over whole tables that returns what breaks it; the few that are no matter of sets are loops.
"""

import contextlib
import hashlib
import itertools
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import psycopg

from sweepstake.domain.keys import uuid7

__all__ = ["CLOCK_ERROR", "check_history", "findings"]

#: Seconds by which clocks may disagree without anything being wrong.
CLOCK_ERROR = 1.0
#: How many findings an error shows.
MOST_SHOWN = 20

Ask = Callable[[str], list[tuple[Any, ...]]]

#: What must never be there, as queries for it; `{clock}` stands for the error allowed to clocks, `{now}` for the time,
#: and `{tick}` for that by which leases end.
RULES = {
    "attempts are not numbered 1 to n": """
        select job_seq, count(*) from attempts group by job_seq having min(number) <> 1 or max(number) <> count(*)""",
    "the job does not count its attempts": """
        select j.seq, j.attempt, count(a.number) from jobs j left join attempts a on a.job_seq = j.seq
        group by j.seq, j.attempt having j.attempt <> count(a.number)""",
    "two attempts are open": """
        select job_seq, count(*) from attempts where ended_at is null group by job_seq having count(*) > 1""",
    "an attempt is open, and the job does not run": """
        select a.job_seq, a.number, j.status from attempts a join jobs j on j.seq = a.job_seq
        where a.ended_at is null and (j.status <> 'RUNNING' or j.attempt <> a.number)""",
    "the job runs, and no attempt is open": """
        select j.seq from jobs j where j.status = 'RUNNING' and not exists
        (select 1 from attempts a where a.job_seq = j.seq and a.number = j.attempt and a.ended_at is null)""",
    "an attempt has an end without an outcome, or an outcome without an end": """
        select job_seq, number from attempts where (ended_at is null) <> (outcome is null)""",
    "an attempt ended before it began": """
        select job_seq, number from attempts where ended_at < started_at - {clock}""",
    "an attempt began before the one before it ended": """
        select b.job_seq, b.number from attempts a join attempts b on b.job_seq = a.job_seq and b.number = a.number + 1
        where a.ended_at is null or b.started_at < a.ended_at - {clock}""",
    "a report was recorded on an open attempt": """
        select job_seq, number from attempts where ended_at is null and (finish_key is not null
        or late_results is not null)""",
    "a leased attempt has the end of somebody who did not hold it": """
        select job_seq, number, outcome from attempts where lease is not null and outcome in ('done', 'crashed')
        and finish_key is null and reason <> 'stated by a put'""",
    "late results came without a report": """
        select job_seq, number from attempts where late_results is not null and finish_key is null""",
    "an attempt that was taken away recorded a report": """
        select job_seq, number, outcome from attempts where outcome in ('lease_lost', 'superseded')
        and finish_key is not null and late_results is null""",
    "two attempts were ended by one report": """
        select finish_key, count(*) from attempts where finish_key is not null group by finish_key
        having count(*) > 1""",
    "two attempts were begun by one call": "select key, count(*) from attempts group by key having count(*) > 1",
    "one key began an attempt and ended one": """
        select a.key, a.job_seq from attempts a join attempts b on b.finish_key = a.key""",
    "one key is that of a report and of another write": """
        select a.finish_key, a.job_seq, v.verb from attempts a join events v on v.key = a.finish_key""",
    "two writes have one key": "select key, count(*) from events group by key having count(*) > 1",
    "the job waits for another number of jobs than are unfinished": """
        select j.seq, j.waiting, count(o.seq) from jobs j left join dependencies d on d.job_seq = j.seq
        left join jobs o on o.seq = d.on_seq and o.status <> 'DONE' group by j.seq, j.waiting
        having j.waiting <> count(o.seq)""",
    "another number of jobs depend on the job than it counts": """
        select j.seq, j.dependants, count(d.job_seq) from jobs j left join dependencies d on d.on_seq = j.seq
        group by j.seq, j.dependants having j.dependants <> count(d.job_seq)""",
    "a job depends on itself": "select job_seq from dependencies where job_seq = on_seq",
    "a job was claimed without a lease, or leased without a claim": """
        select j.seq, a.lease, j.due from jobs j join attempts a on a.job_seq = j.seq and a.number = j.attempt
        where j.status = 'RUNNING' and (j.due is null) <> (a.lease is null)""",
    "a job that is over has a time at which something is due": """
        select seq, status, due from jobs where status in ('DONE', 'CRASHED', 'PRUNED') and due is not null""",
    "a queued job is delayed, and nobody asked for that": """
        select seq, due from jobs where status = 'QUEUED' and due is not null and not_before is null""",
    "a queued job can be claimed before its time": """
        select seq, not_before from jobs where status = 'QUEUED' and due is null and not_before > {now} + {clock}""",
    "the job is in another state than its last report led to": """
        select j.seq, j.status, a.outcome from jobs j join attempts a on a.job_seq = j.seq and a.number = j.attempt
        where j.etag = a.finish_key and a.late_results is null and not (
            a.outcome = 'done' and j.status = 'DONE' or a.outcome = 'crashed' and j.status in ('CRASHED', 'QUEUED')
            or a.outcome = 'pruned' and j.status = 'PRUNED' or a.outcome = 'released' and j.status = 'QUEUED'
            or a.outcome = 'preempted' and j.status in ('QUEUED', 'CRASHED'))""",
    "more jobs run than may": """
        select e.name, e.max_running, count(*) from experiments e join jobs j on j.experiment_id = e.id
        where j.status = 'RUNNING' and 1 = (select count(*) from events v where v.experiment = e.name
        and v.verb = 'put_experiment') group by e.name, e.max_running having count(*) > e.max_running""",
    "more jobs were created than may be": """
        select e.name, e.max_jobs, e.created from experiments e where e.created > e.max_jobs
        and 1 = (select count(*) from events v where v.experiment = e.name and v.verb = 'put_experiment')""",
    "there are more jobs than were created": """
        select e.name, e.created, count(*) from experiments e join jobs j on j.experiment_id = e.id
        group by e.name, e.created having count(*) > e.created""",
    "the jobs in each state are not as many as is kept": """
        select e.name, c.jobs, c.blocked, c.delayed, c.done, c.crashed, c.pruned from experiments e left join (
            select experiment_id, sum(jobs) as jobs, sum(blocked) as blocked, sum(delayed) as delayed,
            sum(done) as done, sum(crashed) as crashed, sum(pruned) as pruned from counts group by experiment_id
        ) c on c.experiment_id = e.id where coalesce(c.jobs, 0) <> (
            select count(*) from jobs j where j.experiment_id = e.id)
        or coalesce(c.blocked, 0) <> (
            select count(*) from jobs j where j.experiment_id = e.id and status = 'QUEUED' and waiting > 0)
        or coalesce(c.delayed, 0) <> (select count(*) from jobs j
            where j.experiment_id = e.id and status = 'QUEUED' and waiting = 0 and due is not null)
        or coalesce(c.done, 0) <> (select count(*) from jobs j where j.experiment_id = e.id and status = 'DONE')
        or coalesce(c.crashed, 0) <> (select count(*) from jobs j where j.experiment_id = e.id and status = 'CRASHED')
        or coalesce(c.pruned, 0) <> (select count(*) from jobs j where j.experiment_id = e.id and status = 'PRUNED')""",
    "a job comes from no spec, or has another task or other needs than that says": """
        select j.seq, j.task, j.spec_version, j.needs from jobs j left join tasks t on t.experiment_id = j.experiment_id
        and t.version = j.spec_version and t.name = j.task
        left join specs s on s.experiment_id = t.experiment_id and s.version = t.version
        left join needs n on n.experiment_id = t.experiment_id and n.id = t.needs
        where j.task is null and (j.needs <> 0 or j.spec_version is not null)
        or j.task is not null and (s.version is null or n.id is null or j.needs <> n.id)""",
    "a task has no spec, or no needs": """
        select t.experiment_id, t.version, t.name from tasks t
        left join specs s on s.experiment_id = t.experiment_id and s.version = t.version
        left join needs n on n.experiment_id = t.experiment_id and n.id = t.needs
        where s.version is null or n.id is null""",
    "versions of a spec are not numbered 1 to n": """
        select experiment_id, count(*) from specs group by experiment_id
        having min(version) <> 1 or max(version) <> count(*)""",
    "a version of a spec came with code that is not kept": """
        select s.experiment_id, s.version from specs s left join snapshots n on n.digest = s.snapshot
        where s.snapshot is not null and n.digest is null""",
    "the jobs of a gang are not replicas of one task": """
        select experiment_id, gang from jobs where gang is not null group by experiment_id, gang
        having min(task) is null or min(task) <> max(task) or min(spec_version) <> max(spec_version)
        or count(distinct rank) <> count(*)""",
    "a gang is held half, and has waited for too long": """
        select j.experiment_id, j.gang, min(j.started_at) from jobs j
        join tasks t on t.experiment_id = j.experiment_id and t.version = j.spec_version and t.name = j.task
        join experiments e on e.id = j.experiment_id
        where j.gang is not null and j.status = 'RUNNING' and j.together = 0 and exists (select 1 from jobs o
        where o.experiment_id = j.experiment_id and o.gang = j.gang and o.status = 'QUEUED')
        group by j.experiment_id, j.gang, t.start_timeout, e.lease
        having max(j.due) > {tick}
        and min(j.started_at) + coalesce(t.start_timeout, 900 * (1 << (min(j.attempt) - 1))) + e.lease
        + {clock} < {now}""",
    "a job is in two batches that are under way": """
        select m.experiment_id, m.job from batch_jobs m join batches b on b.seq = m.batch_seq
        where b.ended_at is null group by m.experiment_id, m.job having count(*) > 1""",
    "submissions of a batch are not numbered 1 to n": """
        select experiment_id, id from batches group by experiment_id, id
        having min(number) <> 1 or max(number) <> count(*)""",
    "a batch was submitted again before it was over": """
        select b.experiment_id, b.id, b.number from batches b where b.status <> 'ENDED' and exists
        (select 1 from batches o where o.experiment_id = b.experiment_id and o.id = b.id and o.number > b.number)""",
    "a batch is over without an end, or has an end and is not over": """
        select seq from batches where (status = 'ENDED') <> (ended_at is not null)""",
    "a batch has begun in no allocation": """
        select seq from batches where status = 'BEGUN' and (begun_at is null or jobid is null)""",
    "a batch belongs to no experiment, or a list of jobs to no batch": """
        select seq from batches b where not exists (select 1 from experiments e where e.id = b.experiment_id)
        union all select batch_seq from batch_jobs m where not exists (select 1 from batches b
        where b.seq = m.batch_seq and b.experiment_id = m.experiment_id)""",
    "something of a spec belongs to no experiment": """
        select o.experiment_id from (select experiment_id from specs union all select experiment_id from tasks
        union all select experiment_id from needs) o
        where not exists (select 1 from experiments e where e.id = o.experiment_id)""",
    "a tag is that of no job": """
        select tag, job_seq from tags t where not exists (select 1 from jobs j
        where j.seq = t.job_seq and j.experiment_id = t.experiment_id and j.tags like '%"%')""",
    "a job has no experiment": """
        select seq from jobs j where not exists (select 1 from experiments e where e.id = j.experiment_id)""",
    "an attempt has no job": """
        select job_seq, number from attempts a where not exists (select 1 from jobs j where j.seq = a.job_seq)""",
    "a dependency has no job": """
        select job_seq, on_seq from dependencies d where not exists (select 1 from jobs j where j.seq = d.job_seq)
        or not exists (select 1 from jobs j where j.seq = d.on_seq)""",
}


def check_history(url: str, *, clock_error: float = CLOCK_ERROR) -> None:
    """Raise AssertionError, naming what breaks which rule, unless all that the store has kept is as promised.

    Args:
        url: of the store itself, `sqlite:///...` or `postgresql://...`.
        clock_error: seconds by which the clocks of whoever wrote may have disagreed.
    """
    found = list(itertools.islice(findings(url, clock_error=clock_error), MOST_SHOWN))
    assert not found, "the history breaks promises:\n" + "\n".join(found)


def findings(url: str, *, clock_error: float = CLOCK_ERROR) -> Iterator[str]:
    """Yield all that is wrong, seen in one snapshot."""
    with _snapshot(url) as ask:
        tick = time.monotonic() if url.startswith("sqlite:") else time.time()
        for rule, query in RULES.items():
            timed = query.replace("{clock}", str(clock_error)).replace("{now}", str(time.time()))
            for row in ask(timed.replace("{tick}", str(tick))):
                yield f"{rule}: {row}"
        yield from _tags(ask)
        yield from _code(ask)
        yield from _budgets(ask)
        yield from _origins(ask)
        if clock_error <= CLOCK_ERROR:
            yield from _crowds(ask)


@contextlib.contextmanager
def _snapshot(url: str) -> Iterator[Ask]:
    if url.startswith("sqlite:"):
        path = unquote(url.removeprefix("sqlite:///"))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as file:
            file.execute("begin")
            yield lambda query: file.execute(query).fetchall()
        return
    with psycopg.connect(url) as database:
        database.execute("set transaction isolation level repeatable read")
        yield lambda query: database.execute(query.encode()).fetchall()


def _tags(ask: Ask) -> Iterator[str]:
    """Compare each job's tags with those by which it is found."""
    found: dict[int, list[str]] = {}
    for seq, tag in ask("select job_seq, tag from tags order by job_seq, tag"):
        found.setdefault(seq, []).append(tag)
    for seq, tags in ask("select seq, tags from jobs where tags <> '[]'"):
        if sorted(set(json.loads(tags))) != sorted(found.get(seq, [])):
            yield f"the job is found by other tags than it has: {(seq, tags, found.get(seq))}"


def _code(ask: Ask) -> Iterator[str]:
    """Compare what was kept of code with the name under which it is."""
    for digest, document in ask("select digest, document from snapshots order by digest"):
        with contextlib.suppress(ValueError):
            text = json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"))
            if hashlib.sha256(text.encode()).hexdigest() == digest:
                continue
        yield f"a snapshot of code is not what it was: {digest}"


def _budgets(ask: Ask) -> Iterator[str]:
    """Count what each job's attempts have spent; a retry gives new budgets."""
    retried: dict[tuple[str, str], list[int]] = {}
    for verb, name, job, begun in ask("""select verb, experiment, job, detail from events
        where verb = 'retry' and detail <> '' or verb = 'delete_job' order by seq"""):
        if verb == "delete_job":  # one that is made anew by this id has all its budgets
            retried.pop((name, job), None)
        else:
            retried.setdefault((name, job), []).append(int(begun))
    jobs = ask("""select j.seq, e.name, j.id, j.failures, j.losses, j.preemptions
        from jobs j join experiments e on e.id = j.experiment_id""")
    spent = ask("""select job_seq, number, case when outcome = 'lease_lost' then 'lease_lost'
        when finish_key is not null and late_results is null then outcome end from attempts order by job_seq, number""")
    outcomes = {seq: [row[2] for row in rows] for seq, rows in itertools.groupby(spent, lambda row: row[0])}
    for seq, name, job, *counted in jobs:
        ended = outcomes.get(seq, [])
        allowed = [_spent(ended[start:]) for start in retried.get((name, job), [0])]
        if counted not in allowed:
            yield f"the budgets spent are not those of the attempts: {(seq, counted, allowed)}"


def _spent(ended: list[str | None]) -> list[int]:
    counts = Counter(ended)
    return [counts["crashed"], counts["lease_lost"], counts["preempted"]]


def _origins(ask: Ask) -> Iterator[str]:
    """Find for every document the write that its etag names, and for every result who reported it."""
    events = {key: (verb, *of) for key, verb, *of in ask("select key, verb, experiment, job from events")}
    writes = {key: verb for key, (verb, *_) in events.items()}
    reported = {
        (seq, key): outcome
        for seq, key, outcome in ask(
            "select job_seq, finish_key, outcome from attempts where finish_key is not null and late_results is null"
        )
    }
    begun = set(ask("select job_seq, key from attempts"))
    jobs = ask("""select j.seq, j.id, j.status, j.etag, e.name from jobs j
        left join experiments e on e.id = j.experiment_id""")
    for seq, job, status, etag, name in jobs:
        base = etag.partition(".")[0]
        if (seq, etag) in reported:
            if status == "DONE" and reported[seq, etag] != "done":
                yield f"the job is DONE by a report that said something else: {(seq, reported[seq, etag])}"
        elif (seq, etag) in begun or (seq, etag.removesuffix(".lost")) in begun:
            if status == "DONE":
                yield f"the job is DONE, and nobody said so: {(seq, etag)}"
        elif base not in writes and not _proposed(job, etag):
            yield f"the etag is that of no write: {(seq, etag)}"
        elif base in writes and events[base][1:] not in ((name, job), (name, "")):
            yield f"the etag is that of a write of something else: {(seq, events[base])}"
        elif status == "DONE" and writes.get(base) not in ("put_job", "add_jobs", "import"):
            yield f"the job is DONE by a write that does not say so: {(seq, writes.get(base))}"
        elif base not in writes and status != "QUEUED":
            yield f"nobody has touched the job since it was proposed, and it is not queued: {(seq, status)}"


def _proposed(job: str, etag: str) -> bool:
    """Tell whether a job's id was made of the name of the key that its etag is; once it was the key itself."""
    random = hashlib.blake2b(etag.encode(), digest_size=10).digest()
    return job in (etag, uuid7(int(job[:10], 32) >> 2, random) if re.fullmatch("[0-9a-v]{26}", job) else etag)


def _crowds(ask: Ask) -> Iterator[str]:
    """Walk through the attempts of limited experiments by time, and count how many ran at once."""
    limited = ask("""select e.id, e.name, e.max_running from experiments e where e.max_running is not null
        and 1 = (select count(*) from events v where v.experiment = e.name and v.verb = 'put_experiment')""")
    for number, name, most in limited:
        spans = ask(f"""select a.started_at, a.ended_at from attempts a join jobs j on j.seq = a.job_seq
            where j.experiment_id = {int(number)}""")
        steps = [(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans if end is not None]
        running = itertools.accumulate(step for _, step in sorted(steps))
        if (peak := max(running, default=0)) > most:
            yield f"more jobs ran at once than may: {json.dumps([name, peak, most])}"
