-- copy_jobs: many new jobs.
copy jobs (
    experiment_id, id, status, etag, priority, due, not_before, waiting, dependants, created_at, tags, notes, origin,
    hyperparameters, results
) from stdin;

-- clock: the time.
select :now;

-- lock_schema: nobody else changes the schema until the transaction ends.
select pg_advisory_xact_lock(2058151379);
