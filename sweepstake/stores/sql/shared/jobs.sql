-- job: one job by its id.
select
    {job}
from jobs j where j.experiment_id = :experiment_id and j.id = :id;

-- job_there: whether there is a job of that number, and when it was made.
select seq, created_at from jobs where seq = :seq;

-- jobs_with_part: jobs whose id begins or ends with a text, made after one, by age.
select
    {job}
from jobs j where j.experiment_id = :experiment_id and j.seq > :after
and cast(:part as text) in (
    substr(j.id, 1, length(cast(:part as text))), substr(j.id, 1 + length(j.id) - length(cast(:part as text)))
)
order by j.seq limit :limit;

-- recent_jobs: the newest jobs, newest first.
select
    {job}
from jobs j where j.experiment_id = :experiment_id order by j.seq desc limit :limit;

-- put_document: state a fact; due is kept with the lease of a holder who goes on running.
update jobs set
    status = :status, hyperparameters = :hyperparameters, results = :results, etag = :etag,
    due = case
        when cast(:keeps as integer) = 1 then due
        when cast(:status as text) = 'QUEUED' and not_before > :now then not_before
    end,
    ended_at = case when cast(:ends as integer) = 1 then :now else ended_at end
where seq = :seq
returning {bare_job};

-- run_job: the job runs as its next attempt, without a lease.
update jobs set
    status = 'RUNNING', attempt = attempt + 1, due = null, worker = null, started_at = :now, ended_at = null,
    etag = :etag
where seq = :seq
returning {bare_job};

-- end_job: what an attempt reports; a failed job may be queued again for later.
update jobs set
    status = :status, hyperparameters = coalesce(:hyperparameters, hyperparameters),
    results = coalesce(:results, results),
    etag = :etag, ended_at = :now,
    failures = failures + cast(:failures as integer), losses = losses + cast(:losses as integer),
    preemptions = preemptions + cast(:preemptions as integer),
    not_before = case
        when cast(:delay as float8) > 0 and coalesce(not_before, 0) < :now + cast(:delay as float8)
        then :now + cast(:delay as float8) else not_before
    end,
    due = case
        when cast(:status as text) <> 'QUEUED' then null
        when not_before > :now + cast(:delay as float8) then not_before
        when cast(:delay as float8) > 0 then :now + cast(:delay as float8)
    end
where seq = :seq;

-- prune_job: a queued job shall not run.
update jobs set status = 'PRUNED', etag = :etag, due = null, ended_at = :now where seq = :seq;

-- retry_job: a job that ended, or that runs without a lease, is queued again, with all its budgets.
update jobs set
    status = 'QUEUED', etag = :etag, failures = 0, losses = 0, preemptions = 0,
    due = case when not_before > :now then not_before end,
    ended_at = case when status = 'RUNNING' then :now else ended_at end
where seq = :seq;

-- set_queueing: what is beside the document; due is a delay only while the job is queued.
update jobs set
    ({queueing}) = ({:queueing}),
    due = case
        when status <> 'QUEUED' then due
        when cast(:not_before as float8) > :now then cast(:not_before as float8)
    end
where seq = :seq;

-- delete_job_attempts: all attempts of a job.
delete from attempts where job_seq = :seq;

-- delete_job: the job itself.
delete from jobs where seq = :seq;

-- taken_id: one of an experiment's jobs whose id is among these.
select seq from jobs where experiment_id = :experiment_id and id = :id;

-- mark_offered: this job was shown to somebody who may claim it by a put.
update jobs set offered_at = :now where seq = :seq;
