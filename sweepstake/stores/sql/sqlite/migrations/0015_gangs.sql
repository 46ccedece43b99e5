-- Jobs that begin together.

-- start_timeout: seconds within which all jobs of a gang must be there.
alter table tasks add column start_timeout real;

-- together: 1 once all of its gang have been claimed, so that it may begin.
alter table jobs add column together integer not null default 0;

create index jobs_gang on jobs (experiment_id, gang) where gang is not null;
