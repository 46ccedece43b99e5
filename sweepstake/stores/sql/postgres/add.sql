-- copy_jobs: many new jobs.
copy jobs (
    {queueing}, experiment_id, id, status, etag, due, waiting, dependants, created_at, origin, hyperparameters, results,
    task, spec_version, needs, gang, rank, seed
) from stdin;

-- clock: the time.
select :now;

-- lock_schema: nobody else changes the schema until the transaction ends.
select pg_advisory_xact_lock(2058151379);
