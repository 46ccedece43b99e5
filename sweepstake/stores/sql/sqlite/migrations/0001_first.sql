-- The schema that the first release began with.

create table experiments (
    id integer primary key autoincrement,
    name text not null unique,
    status text not null,
    search_kind text not null,
    search_params text not null,
    settings text not null,
    lease real not null,
    timeout real,
    max_attempts integer not null,
    max_lost integer not null,
    max_preemptions integer,
    retry_delay real not null,
    max_running integer,
    max_jobs integer,
    etag text not null,
    proposals integer not null default 0,
    created integer not null default 0,
    created_at real not null
);

-- due: RUNNING, when the lease ends, on the machine's monotonic clock; QUEUED and delayed, when the delay ends,
-- in Unix time; else null. waiting: dependencies not DONE yet. dependants: how many jobs depend on this one.
create table jobs (
    seq integer primary key autoincrement,
    experiment_id integer not null,
    id text not null,
    status text not null,
    etag text not null,
    priority integer not null default 0,
    due real,
    not_before real,
    waiting integer not null default 0,
    dependants integer not null default 0,
    attempt integer not null default 0,
    failures integer not null default 0,
    losses integer not null default 0,
    preemptions integer not null default 0,
    worker text,
    created_at real not null,
    started_at real,
    ended_at real,
    offered_at real,
    tags text not null default '[]',
    notes text not null default '',
    origin text,
    dedupe text,
    hyperparameters text not null,
    results text not null
);

create unique index jobs_id on jobs (experiment_id, id);
create index jobs_listing on jobs (experiment_id);  -- the rowid, which is seq, ends every index
create index jobs_ready on jobs (experiment_id, priority desc)
where status = 'QUEUED' and waiting = 0 and due is null;
create index jobs_running on jobs (experiment_id, due) where status = 'RUNNING';
create index jobs_delayed on jobs (experiment_id, due) where status = 'QUEUED' and due is not null;
create index jobs_blocked on jobs (experiment_id) where status = 'QUEUED' and waiting > 0;

-- One row for each running of a job; key is the op key of the claim (or of the PUT) that began it.
create table attempts (
    job_seq integer not null,
    number integer not null,
    key text not null unique,
    worker text not null,
    lease real,
    started_at real not null,
    ended_at real,
    outcome text,
    reason text not null default '',
    finish_key text,
    late_results text,
    primary key (job_seq, number)
) without rowid;

create table dependencies (
    job_seq integer not null,
    on_seq integer not null,
    primary key (job_seq, on_seq)
) without rowid;

create index dependencies_on on dependencies (on_seq);

-- The ledger of the rarer writes; claims and finishes are rows of attempts.
create table events (
    seq integer primary key autoincrement,
    at real not null,
    verb text not null,
    experiment text not null,
    job text not null default '',
    key text not null unique,
    detail text not null default ''
);

create table accounts (
    email text primary key,
    password_hash text
) without rowid;

create table api_tokens (
    digest text primary key,
    email text not null,
    created_at real not null
) without rowid;

create index api_tokens_email on api_tokens (email);
