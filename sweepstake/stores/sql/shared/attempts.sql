-- attempts: the attempts of a job, oldest first.
select number, key, worker, lease, started_at, ended_at, outcome, reason, late_results, output
from attempts where job_seq = :seq order by number;

-- attempt_outcomes: how each attempt of a job ended, and by which key it is known.
select number, key, lease, outcome from attempts where job_seq = :seq order by number;

-- begin_attempt: a running of a job begins.
insert into attempts (job_seq, number, key, worker, lease, started_at)
values (:seq, :number, :key, :worker, :lease, :now);

-- end_attempt: a running of a job is over.
update attempts set ended_at = :now, outcome = :outcome, reason = :reason, output = :output,
    finish_key = :finish_key
where job_seq = :seq and number = :number;

-- keep_late: results that came after the end of their attempt.
update attempts set late_results = :results, output = :output, finish_key = :finish_key where key = :key;

-- claimed: the job that was claimed under an op key, and whether it is still held by it.
select
    {job},
    e.name, e.timeout, a.lease, case when a.ended_at is null then 1 else 0 end
from attempts a join jobs j on j.seq = a.job_seq join experiments e on e.id = j.experiment_id
where a.key = :key;

-- probe: whether the lease that ends first is overdue, and whether the first delay is over.
select
    coalesce((
        select j.due from jobs j
        where j.experiment_id = e.id and j.status = 'RUNNING' and j.due is not null order by j.due limit 1
    ) <= :tick, false),
    coalesce((
        select j.due from jobs j
        where j.experiment_id = e.id and j.status = 'QUEUED' and j.due is not null order by j.due limit 1
    ) <= :now, false)
from experiments e where e.name = :name;

-- lease_job: the new job runs as its first attempt, with a lease.
update jobs set
    status = 'RUNNING', attempt = 1, due = :tick + cast(:lease as float8), worker = :worker, started_at = :now
where experiment_id = :experiment_id and id = :id
returning
    {bare_job};

-- attempt_key: the key of an attempt, and its lease.
select key, lease from attempts where job_seq = :seq and number = :number;

-- held: the job of an attempt, the attempt, and the budgets that judge its end; the job is locked before.
select
    {job},
    e.name, j.dependants, j.failures, j.preemptions, e.max_attempts, e.retry_delay, e.max_preemptions,
    e.settings, a.number, a.outcome, a.finish_key, case when a.late_results is null then 0 else 1 end,
    a.key, a.lease
from attempts a join jobs j on j.seq = a.job_seq join experiments e on e.id = j.experiment_id
where a.key = :attempt;

-- attempt_of: an attempt by its key.
select lease from attempts where key = :key;

-- imported_attempt: the attempt on a job that was imported, and had a key of this name where it was begun.
select a.key from experiments e join jobs j on j.experiment_id = e.id join attempts a on a.job_seq = j.seq
where e.name = :name and j.id = :id and substr(a.key, 1, length(:key) + 1) = :key || ':'
order by a.number limit 1;
