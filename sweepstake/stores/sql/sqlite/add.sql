-- add_job: one of many new jobs.
insert into jobs (
    {queueing}, experiment_id, id, status, etag, due, waiting, dependants, created_at, origin, hyperparameters, results,
    task, spec_version, needs, gang, rank, seed
) values ({?queueing}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- forget_leases: the machine was started anew, so every holder of a lease is dead.
update jobs set due = 0 where status = 'RUNNING' and due is not null;
