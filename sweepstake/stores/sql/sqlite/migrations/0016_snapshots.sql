-- What was submitted: the code, and which task the search makes jobs of.

-- document: JSON of a commit, what differs from it, and what is installed. used_at: when a spec last came with it.
create table snapshots (
    digest text primary key,
    document text not null,
    used_at real not null
);

-- snapshot: the digest of one.
alter table specs add column snapshot text;
create index specs_snapshot on specs (snapshot) where snapshot is not null;

-- proposed: 1 if the experiment's search makes the jobs of this task, when workers ask for them.
alter table tasks add column proposed integer not null default 0;
