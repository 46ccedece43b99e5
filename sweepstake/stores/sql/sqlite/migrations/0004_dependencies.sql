-- Jobs that are pruned with those they wait for, and the hyperparameters that an experiment has seen.

-- prunes: 1 if the job is PRUNED when the one that it waits for becomes CRASHED or PRUNED.
alter table dependencies add column prunes integer not null default 0;

-- compared_to: the jobs up to this seq have a row in fingerprints.
alter table experiments add column compared_to integer not null default 0;

-- One row for each job of an experiment that was ever asked for duplicates. digest: SHA-256 of the canonical
-- hyperparameters. repeat: 0 for the job that was added as the only one of its kind, else the job's own seq.
-- A table of its own (jobs.dedupe stays null), so that no claim and no finish has to keep one index more.
create table fingerprints (
    job_seq integer primary key,
    experiment_id integer not null,
    digest text not null,
    repeat integer not null,
    unique (experiment_id, digest, repeat)
);
