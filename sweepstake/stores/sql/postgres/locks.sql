-- lock_experiment: one experiment.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner
from experiments where name = :name for no key update;

-- lock_job: one job, and how many wait for it; if any do, the experiment before it.
with experiment as materialized (
    select e.id from experiments e
    where e.id = :experiment_id and exists (
        select 1 from jobs where experiment_id = :experiment_id and id = :id and dependants > 0
    )
    for no key update
)
select
    {job}, j.dependants
from jobs j where j.experiment_id = :experiment_id and j.id = :id and (select count(*) from experiment) < 2
for update of j;

-- lock_attempt: the job of an attempt, before the attempt itself is read.
select seq from jobs where seq = (select job_seq from attempts where key = :attempt) for update;

-- lock_free_attempts: the jobs of these attempts but those that others have locked; it names the attempts of those.
with locked as materialized (
    select seq from jobs
    where seq = any (array(
        select a.job_seq from json_array_elements_text(cast(:keys as json)) k join attempts a on a.key = k
    ))
    for update skip locked
)
select a.key from json_array_elements_text(cast(:keys as json)) k join attempts a on a.key = k
where a.job_seq not in (select seq from locked);

-- lock_gang: the jobs of a gang.
select seq from jobs where experiment_id = :experiment_id and gang is not null and gang = :gang order by seq for update;

-- lock_batch: one submission of a batch.
select {batch} from batches b
where b.experiment_id = :experiment_id and b.id = :id and b.number = :number for no key update;

-- under_way: the transactions of whoever is writing jobs now. Whoever claims locks the table before reading any limit.
select virtualtransaction from pg_locks
where locktype = 'relation' and relation = cast('jobs' as regclass) and mode = 'RowExclusiveLock'
and database = (select oid from pg_database where datname = current_database()) and pid <> pg_backend_pid();

-- live_leases: how many jobs of an experiment are held now; all its jobs are locked, so that none can be claimed.
with locked as materialized (
    select status, due from jobs where experiment_id = :experiment_id order by seq for update
)
select count(*) from locked where status = 'RUNNING' and due > :tick;
