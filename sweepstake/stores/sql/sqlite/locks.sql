-- lock_experiment: one experiment; the transaction is the only writer.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner
from experiments where name = :name;

-- lock_job: one job, and how many wait for it.
select
    {job}, j.dependants
from jobs j where j.experiment_id = :experiment_id and j.id = :id;

-- lock_attempt: nothing to do: the transaction is the only writer.
select 1;

-- lock_free_attempts: nothing to do: the transaction is the only writer.
select 1 where 0;

-- lock_gang: nothing to do: the transaction is the only writer.
select 1;

-- lock_batch: one submission of a batch; the transaction is the only writer.
select {batch} from batches b where b.experiment_id = :experiment_id and b.id = :id and b.number = :number;

-- live_leases: how many jobs of an experiment are held now.
select count(*) from jobs where experiment_id = :experiment_id and status = 'RUNNING' and due > :tick;
