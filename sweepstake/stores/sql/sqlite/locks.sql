-- lock_experiment: one experiment; the transaction is the only writer.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at
from experiments where name = :name;

-- lock_job: one job with its counts.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at, j.dependants, a.key
from jobs j left join attempts a on a.job_seq = j.seq and a.number = j.attempt and a.ended_at is null
where j.experiment_id = :experiment_id and j.id = :id;

-- lock_held: the job of an attempt, the attempt, and the budgets that judge its end.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at,
    e.name, j.dependants, j.failures, j.preemptions, e.max_attempts, e.retry_delay, e.max_preemptions,
    a.number, a.outcome, a.finish_key, case when a.late_results is null then 0 else 1 end
from attempts a join jobs j on j.seq = a.job_seq join experiments e on e.id = j.experiment_id
where a.key = :attempt;

-- live_leases: how many jobs of an experiment are held now.
select count(*) from jobs where experiment_id = :experiment_id and status = 'RUNNING' and due > :tick;

-- overdue: jobs whose lease is over, first come first.
select j.seq, j.attempt, a.key, j.losses, e.max_lost
from experiments e
join jobs j indexed by jobs_running on j.experiment_id = e.id and j.status = 'RUNNING' and j.due <= :tick
join attempts a on a.job_seq = j.seq and a.number = j.attempt
where e.name = :name and a.lease <= :uptime
order by j.due limit 100;

-- end_delays: jobs that were queued for a time that has come.
update jobs set due = null where seq in (
    select j.seq from jobs j indexed by jobs_delayed
    where j.experiment_id = (select id from experiments where name = :name)
    and j.status = 'QUEUED' and j.due is not null and j.due <= :now
    order by j.due limit 100
);

-- beats: which of these attempts are open, and how the others ended.
select a.key, j.seq, case when a.ended_at is null then 1 else 0 end, a.outcome
from json_each(:keys) k join attempts a on a.key = k.value join jobs j on j.seq = a.job_seq;

-- renew: the leases of these jobs begin anew.
update jobs set due = :tick + (
    select a.lease from attempts a where a.job_seq = jobs.seq and a.number = jobs.attempt
)
where seq in (select value from json_each(:seqs)) and due is not null;

-- jobs_filtered: jobs of some statuses, or with a tag, made after one, by age.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at
from jobs j
where j.experiment_id = :experiment_id and j.seq > :after
and (:statuses = '[]' or j.status in (select value from json_each(:statuses)))
and (:tag is null or exists (select 1 from json_each(j.tags) where value = :tag))
order by j.seq limit :limit;

-- offer: the first ready job that was not offered within the last second, else the first ready one.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at
from jobs j indexed by jobs_ready
where j.experiment_id = :experiment_id and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and (cast(:fresh as integer) = 0 or j.offered_at is null or j.offered_at <= :now - 1 or j.offered_at > :now)
order by j.priority desc, j.seq limit 1;
