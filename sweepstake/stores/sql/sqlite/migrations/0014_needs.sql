-- What experiments run, as it was written; and what their jobs need of whoever runs them.

-- document: the spec as canonical JSON.
create table specs (
    experiment_id integer not null,
    version integer not null,
    text text not null,
    document text not null,
    created_at real not null,
    primary key (experiment_id, version)
);

-- The distinct needs of an experiment's tasks, which are few. text: canonical JSON.
create table needs (
    id integer primary key autoincrement,
    experiment_id integer not null,
    text text not null,
    unique (experiment_id, text)
);

-- The tasks of each version of a spec. fails_all, preempts_all: 1 if the others end when a job of it fails, or are
-- preempted when it is.
create table tasks (
    experiment_id integer not null,
    version integer not null,
    name text not null,
    needs integer not null,
    fails_all integer not null,
    preempts_all integer not null,
    primary key (experiment_id, version, name)
) without rowid;

-- The workers that say with their heartbeats what they have. owner: email of the user, or empty. slots, free: JSON.
create table workers (
    owner text not null,
    name text not null,
    slots text not null,
    free text not null,
    seen_at real not null,
    primary key (owner, name)
) without rowid;

-- task: of the spec of that version; null: the job says nothing of what is run for it. needs: a row of that table; 0: it
-- has no task. gang: the jobs that begin together, of which each has a rank. seed: which repeat of its hyperparameters.
alter table jobs add column task text;
alter table jobs add column spec_version integer;
alter table jobs add column needs integer not null default 0;
alter table jobs add column gang text;
alter table jobs add column rank integer;
alter table jobs add column seed integer;

-- Those of the same needs stand together, so that a claim passes over what it cannot run however many they are.
drop index jobs_ready;
create index jobs_ready on jobs (experiment_id, needs, priority desc)
where status = 'QUEUED' and waiting = 0 and due is null;
