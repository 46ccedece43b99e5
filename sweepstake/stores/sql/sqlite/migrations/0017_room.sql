-- Who makes room for whom.

-- worker: makes room for the job until then; nobody else does.
create table rooms (
    job_seq integer primary key,
    worker text not null,
    until real not null
);

-- Those that wait for others of their gang, of whichever experiment.
create index jobs_gathering on jobs (experiment_id, gang)
where gang is not null and status = 'RUNNING' and together = 0;
