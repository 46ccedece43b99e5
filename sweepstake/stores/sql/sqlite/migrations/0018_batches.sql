-- Batches of jobs that were submitted to a cluster.

-- One row for each submission of a batch, numbered from 1. draft: JSON of what was intended. jobid, allocation, reason:
-- what the scheduler calls its allocation, what became of that, and the scheduler's words. worker: who has begun it.
create table batches (
    seq integer primary key autoincrement,
    experiment_id integer not null,
    id text not null,
    number integer not null,
    status text not null,
    draft text not null,
    jobid text,
    allocation text,
    reason text not null default '',
    worker text,
    intended_at real not null,
    submitted_at real,
    begun_at real,
    ended_at real
);

create unique index batches_number on batches (experiment_id, id, number);
create index batches_listing on batches (experiment_id);
-- Those under way, of each batch at most one.
create unique index batches_live on batches (experiment_id, id) where status <> 'ENDED';

-- The jobs of each submission, by their ids.
create table batch_jobs (
    batch_seq integer not null,
    job text not null,
    experiment_id integer not null,
    primary key (batch_seq, job)
) without rowid;

create index batch_jobs_job on batch_jobs (experiment_id, job);
