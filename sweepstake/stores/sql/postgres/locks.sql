-- lock_experiment: one experiment.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner
from experiments where name = :name for no key update;

-- lock_job: one job, and how many wait for it.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at, j.dependants
from jobs j where j.experiment_id = :experiment_id and j.id = :id for update;

-- lock_attempt: the job of an attempt, before the attempt itself is read.
select seq from jobs where seq = (select job_seq from attempts where key = :attempt) for update;

-- lock_attempts: the jobs of these attempts, in the order in which everybody locks several.
select seq from jobs
where seq = any (array(
    select a.job_seq from json_array_elements_text(cast(:keys as json)) k join attempts a on a.key = k
))
order by seq for update;

-- under_way: the transactions of this database's clients that have begun.
select pid, cast(xact_start as text) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
and xact_start is not null;

-- live_leases: how many jobs of an experiment are held now; all its jobs are locked, so that none can be claimed.
with locked as materialized (
    select status, due from jobs where experiment_id = :experiment_id order by seq for update
)
select count(*) from locked where status = 'RUNNING' and due > :tick;
